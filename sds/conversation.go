package sds

import (
	"context"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

// machine is the protocol of one stream; see sotw and delta.
type machine[Request, Response any] interface {
	request(r *Request, now time.Time) (step[Response], error)
	announce(u issuer.Update, now time.Time) (step[Response], error)
	refresh(now time.Time) (step[Response], error)
	bundle() trustbundle.TrustBundle
	declare(known HTTPPorts, proxy Proxy)
	bound(q quota)
	delays(skew time.Duration)
	wake() time.Time
	destine(d Destinations)
	moved() <-chan struct{}
	forget()
}

// conversation is a stream of an attested proxy.
type conversation[Request, Response any] struct {
	server       *Server
	stream       grpc.BidiStreamingServer[Request, Response]
	proxy        Proxy
	open         *openStream
	machine      machine[Request, Response]
	drained      <-chan struct{}      // closed when the proxy has to go elsewhere
	subscription *issuer.Subscription // nil before the first request was found right
	ripe         <-chan time.Time     // when there is something to send that was held back
}

func (c *conversation[Request, Response]) run(ctx context.Context) error {
	requests, failed := receive(ctx, c.stream, c.open)
	for {
		var err error
		select {
		case r := <-requests:
			err = apart(func() error { return c.do(c.machine.request(r, time.Now())) })
		case u := <-c.updates():
			err = apart(func() error { return c.do(c.machine.announce(u, time.Now())) })
		case <-c.ripe:
			err = apart(func() error { return c.do(c.machine.refresh(time.Now())) })
		case <-c.machine.moved():
			err = apart(func() error { return c.do(c.machine.refresh(time.Now())) })
		case err = <-failed:
		case why := <-c.open.refused:
			err = why
		case <-c.server.draining:
			err = errDraining
		case <-c.drained:
			err = c.leave(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// leave waits for a moment, so that not all proxies go at once.
func (c *conversation[Request, Response]) leave(ctx context.Context) error {
	timer := time.NewTimer(rand.N(leaveTime))
	defer timer.Stop()
	select {
	case <-timer.C:
		return errCutOff
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *conversation[Request, Response]) updates() <-chan issuer.Update {
	if c.subscription == nil {
		return nil
	}
	return c.subscription.Updates()
}

func (c *conversation[Request, Response]) close() {
	c.machine.forget()
	if c.subscription != nil {
		c.subscription.Close()
	}
}

// receive hands on what the proxy sends, until it fails. Its goroutine ends
// with the stream, which is when its handler returned: a stream's Recv does not
// return earlier.
func receive[Request, Response any](ctx context.Context, stream grpc.BidiStreamingServer[Request, Response], open *openStream) (<-chan *Request, <-chan error) {
	requests, failed := make(chan *Request), make(chan error, 1)
	go func() {
		for {
			r, err := stream.Recv()
			if err != nil {
				failed <- readable(err)
				return
			}
			if err := open.request(ctx, namesIn(r)); err != nil {
				failed <- err
				return
			}
			select {
			case requests <- r:
			case <-ctx.Done():
				failed <- status.FromContextError(ctx.Err()).Err()
				return
			}
		}
	}()
	return requests, failed
}

// do carries out a step. Whether the proxy still stands is asked before each
// push: a secret that changed is what a deleted pod must not get.
func (c *conversation[Request, Response]) do(next step[Response], err error) error {
	if err != nil {
		return err
	}
	if c.subscription == nil {
		c.subscription = c.server.options.Source.Subscribe(c.proxy.Identity)
	}
	c.note(next)
	c.ripe = nil
	if at := c.machine.wake(); !at.IsZero() {
		c.ripe = time.After(time.Until(at))
	}
	if next.response == nil {
		return nil
	}
	if err := c.server.options.Attestor.Current(c.stream.Context(), c.proxy); err != nil {
		return asRefusal(err)
	}
	if err := c.send(next.response); err != nil {
		return err
	}
	c.server.options.Metrics.pushes.Inc()
	return nil
}

// send ends the connection if the proxy does not take the response: what waits
// for it holds memory, and a root that has leaked has to go.
func (c *conversation[Request, Response]) send(r *Response) error {
	slow := time.AfterFunc(sendTimeout, func() { c.open.conn.end(ReasonSlow, "the proxy does not read what it is sent") })
	defer slow.Stop()
	return c.stream.Send(r)
}

// note passes on what the proxy said of what it was sent.
func (c *conversation[Request, Response]) note(next step[Response]) {
	if next.acked {
		c.server.options.Metrics.acks.Inc()
		c.open.ack()
	}
	if next.nacked {
		c.server.options.Metrics.nacks.Inc()
		c.server.options.Logger.Warn("a proxy rejected its secrets", "proxy", c.proxy, "detail", next.detail)
	}
	if next.inUse != 0 {
		c.subscription.Ack(next.inUse)
	}
	if a := c.server.options.Acknowledgements; next.trusts && a != nil {
		a.Acknowledged(c.proxy, c.machine.bundle())
	}
}
