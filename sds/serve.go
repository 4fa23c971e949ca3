package sds

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"

	"github.com/osm-edge/osm/issuer"
)

// machine is the protocol of one stream; see sotw and delta.
type machine[Request, Response any] interface {
	request(r *Request, now time.Time) (step[Response], error)
	announce(u issuer.Update, now time.Time) (step[Response], error)
}

// errDraining ends the streams of a server that stops.
var errDraining = refuse(ReasonUnavailable, "this replica of the control plane is stopping; connect again")

// serve carries one stream: it attests the proxy, feeds requests and updates to
// the machine, and does what the machine says.
func serve[Request, Response any, M machine[Request, Response]](
	s *Server, stream grpc.BidiStreamingServer[Request, Response], protocol func(issuer.Identity, string) M,
) error {
	ctx := stream.Context()
	proxy, err := s.attest(ctx)
	if err != nil {
		return err
	}
	s.options.Metrics.streams.Inc()
	defer s.options.Metrics.streams.Dec()
	c := &conversation[Request, Response]{
		server:  s,
		stream:  stream,
		proxy:   proxy,
		machine: protocol(proxy.Identity, rand.Text()[:8]),
	}
	return c.run(ctx)
}

// conversation is a stream of an attested proxy.
type conversation[Request, Response any] struct {
	server       *Server
	stream       grpc.BidiStreamingServer[Request, Response]
	proxy        Proxy
	machine      machine[Request, Response]
	subscription *issuer.Subscription // nil before the first request was found right
}

func (c *conversation[Request, Response]) run(ctx context.Context) error {
	requests, failed := receive(ctx, c.stream)
	var updates <-chan issuer.Update
	for {
		var next step[Response]
		var err error
		select {
		case r := <-requests:
			next, err = c.machine.request(r, time.Now())
		case u := <-updates:
			next, err = c.machine.announce(u, time.Now())
		case err = <-failed:
		case <-c.server.draining:
			err = errDraining
		}
		if err != nil {
			return err
		}
		if c.subscription == nil {
			c.subscription = c.server.options.Source.Subscribe(c.proxy.Identity)
			defer c.subscription.Close()
			updates = c.subscription.Updates()
		}
		if err := c.do(ctx, next); err != nil {
			return err
		}
	}
}

// receive hands on what the proxy sends, until it fails. Its goroutine ends
// with the stream, which is when its handler returned: a stream's Recv does not
// return earlier.
func receive[Request, Response any](ctx context.Context, stream grpc.BidiStreamingServer[Request, Response]) (<-chan *Request, <-chan error) {
	requests, failed := make(chan *Request), make(chan error, 1)
	go func() {
		for {
			r, err := stream.Recv()
			if err != nil {
				failed <- err
				return
			}
			select {
			case requests <- r:
			case <-ctx.Done():
				return
			}
		}
	}()
	return requests, failed
}

// do carries out a step. Whether the proxy still stands is asked before each
// push: a secret that changed is what a deleted pod must not get.
func (c *conversation[Request, Response]) do(ctx context.Context, next step[Response]) error {
	metrics := c.server.options.Metrics
	if next.acked {
		metrics.acks.Inc()
	}
	if next.nacked {
		metrics.nacks.Inc()
		c.server.options.Logger.Warn("a proxy rejected its secrets", "proxy", c.proxy, "detail", next.detail)
	}
	if next.inUse != 0 {
		c.subscription.Ack(next.inUse)
	}
	if next.response == nil {
		return nil
	}
	if err := c.server.options.Attestor.Current(ctx, c.proxy); err != nil {
		return asRefusal(err)
	}
	if err := c.stream.Send(next.response); err != nil {
		return err
	}
	metrics.pushes.Inc()
	return nil
}

func (s *Server) attest(ctx context.Context) (Proxy, error) {
	token, err := bearer(ctx)
	if err != nil {
		return Proxy{}, err
	}
	proxy, err := s.options.Attestor.Attest(ctx, token)
	if err != nil {
		return Proxy{}, asRefusal(err)
	}
	return proxy, nil
}

// finish counts and logs how a stream ended, and returns what its client is
// told.
func (s *Server) finish(ctx context.Context, err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	refusal, ok := errors.AsType[*Refusal](err)
	if !ok || refusal == errDraining {
		return err
	}
	s.options.Metrics.refusals.WithLabelValues(string(refusal.Reason)).Inc()
	address := "unknown"
	if p, ok := peer.FromContext(ctx); ok {
		address = p.Addr.String()
	}
	s.options.Logger.Warn("refused a proxy", "address", address, "reason", string(refusal.Reason), "error", refusal)
	return refusal
}

// LogValue names the proxy in logs.
func (p Proxy) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("uuid", p.UUID),
		slog.String("identity", p.Identity.String()),
		slog.String("pod", p.Namespace+"/"+p.PodName),
	)
}
