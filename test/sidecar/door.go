package sidecar

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"
)

// acceptRetry is how long a door waits when the process has too many files open.
const acceptRetry = 100 * time.Millisecond

// door accepts connections whose protocol is found out later.
type door struct {
	name     string
	listener net.Listener
	// serve returns once it has closed the connection. It does so soon after
	// its context ends.
	serve func(context.Context, net.Conn)
}

// run accepts until ctx ends, and then lets connections finish for a while.
func (d *door) run(ctx context.Context) error {
	serving, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	var open sync.WaitGroup
	err := d.accept(ctx, func(conn net.Conn) {
		open.Go(func() { d.serve(serving, conn) })
	})
	last := time.AfterFunc(shutdownTimeout, abort)
	defer last.Stop()
	open.Wait()
	return err
}

func (d *door) accept(ctx context.Context, take func(net.Conn)) error {
	stop := context.AfterFunc(ctx, func() { d.listener.Close() }) // Accept says the rest
	defer stop()
	for {
		conn, err := d.listener.Accept()
		switch {
		case err == nil:
			take(conn)
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ECONNABORTED):
			select {
			case <-time.After(acceptRetry):
			case <-ctx.Done():
			}
		default:
			return fmt.Errorf("accept on the %s listener: %w", d.name, err)
		}
	}
}

// handover is the listener of an HTTP server that is given its connections.
type handover struct {
	address net.Addr
	given   chan net.Conn
	closed  chan struct{}
	close   func()
}

func newHandover(address net.Addr) *handover {
	closed := make(chan struct{})
	return &handover{address, make(chan net.Conn), closed, sync.OnceFunc(func() { close(closed) })}
}

// give returns once the connection is closed. It is closed when ctx ends.
func (h *handover) give(ctx context.Context, conn net.Conn) {
	closing := &closing{Conn: conn, closed: make(chan struct{})}
	closing.close = sync.OnceValue(func() error {
		defer close(closing.closed)
		return conn.Close()
	})
	select {
	case h.given <- closing:
	case <-h.closed:
		closing.Close() // its client sees that
	}
	select {
	case <-closing.closed:
	case <-ctx.Done():
		closing.Close() // it had its time to finish
	}
}

// Accept implements net.Listener.
func (h *handover) Accept() (net.Conn, error) {
	select {
	case conn := <-h.given:
		return conn, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *handover) Close() error {
	h.close()
	return nil
}

// Addr implements net.Listener.
func (h *handover) Addr() net.Addr { return h.address }

// closing is a connection that tells when it was closed.
type closing struct {
	net.Conn
	closed chan struct{}
	close  func() error
}

// Close implements net.Conn.
func (c *closing) Close() error { return c.close() }
