package sds

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"

	"github.com/osm-edge/osm/issuer/identity"
)

// errDraining ends the streams of a server that stops.
var errDraining = refuse(ReasonUnavailable, "this replica of the control plane is stopping; connect again")

// errCutOff ends the streams that are to go to another replica.
var errCutOff = refuse(ReasonUnavailable, "this replica of the control plane is cut off; connect to another")

// serve carries one stream: it attests the proxy, feeds requests and updates to
// the machine, and does what the machine says.
func serve[Request, Response any, M machine[Request, Response]](
	s *Server, stream grpc.BidiStreamingServer[Request, Response], protocol func(identity.Identity, string) M,
) error {
	c := &conversation[Request, Response]{server: s, stream: stream, drained: *s.drained.Load()}
	err := apart(func() (err error) {
		c.proxy, err = s.attest(stream.Context())
		return err
	})
	if err != nil {
		return err
	}
	if c.open, err = s.streams.add(c.proxy, connOf(stream.Context())); err != nil {
		return err
	}
	defer s.streams.remove(c.open)
	s.options.Metrics.streams.Inc()
	defer s.options.Metrics.streams.Dec()
	c.machine = protocol(c.proxy.Identity, rand.Text()[:8])
	c.machine.declare(s.options.HTTPPorts, c.proxy)
	c.machine.bound(c.open)
	c.machine.delays(s.options.ClockSkew)
	c.machine.destine(s.options.Destinations)
	defer c.close()
	return c.run(stream.Context())
}

// apart runs f on a goroutine of its own and waits for it. A stream waits for
// nearly all of its life; what f needs of a stack would stay with it, 5 kB of
// the 45 kB that a stream takes.
func apart(f func() error) error {
	done := make(chan error)
	go func() { done <- f() }()
	return <-done
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
	if !ok || refusal == errDraining || refusal == errCutOff {
		return err
	}
	address := net.Addr(nil)
	if p, ok := peer.FromContext(ctx); ok {
		address = p.Addr
	}
	s.refuse(refusal, address)
	return refusal
}

// refuse counts a refusal, and logs and remembers it.
func (s *Server) refuse(refusal *Refusal, address net.Addr) {
	s.options.Metrics.refusals.WithLabelValues(string(refusal.Reason)).Inc()
	at := "unknown"
	if address != nil {
		at = address.String()
	}
	s.refused.note(Refused{time.Now(), at, refusal.Reason, bounded(refusal.Message)})
	s.options.Logger.Warn("refused a proxy", "address", at, "reason", string(refusal.Reason), "error", refusal)
}
