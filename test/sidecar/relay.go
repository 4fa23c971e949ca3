package sidecar

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// idleTimeout ends a connection that carries nothing in either direction.
const idleTimeout = time.Hour

// relay carries bytes between the client of a connection and its server, each
// direction to its own end: a protocol may need that (RFC 9293, section 3.6).
type relay struct {
	client, server net.Conn
	answers        answers // of the server
	idle           *time.Timer
	stop           func() bool
}

// newRelay carries nothing yet. The connections are its own from now on.
func newRelay(ctx context.Context, client, server net.Conn) *relay {
	r := &relay{client: client, server: server}
	r.idle = time.AfterFunc(idleTimeout, r.abort)
	r.stop = context.AfterFunc(ctx, r.abort)
	return r
}

// abort ends both connections so that neither end takes it for a proper end.
func (r *relay) abort() {
	reset(r.client)
	reset(r.server)
}

// pass carries one direction until its source ends, and then ends its sink. It
// returns how many bytes it carried. What goes wrong ends the other direction,
// too, except that the read deadline passes that stops pass.
func (r *relay) pass(sink net.Conn, source io.Reader) (int64, error) {
	n, err := io.Copy(sink, observed{source, func(read []byte) {
		r.idle.Reset(idleTimeout)
		if sink == r.client {
			r.answers.note(read)
		}
	}})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	if err == nil {
		err = endWriting(sink)
	}
	if err != nil {
		r.abort()
	}
	return n, err
}

// run carries both directions to their ends, what the client says from up and
// what the server says from down.
func (r *relay) run(up, down io.Reader) error {
	other := make(chan error, 1)
	go func() {
		_, err := r.pass(r.client, down)
		other <- err
	}()
	_, err := r.pass(r.server, up)
	return r.end(errors.Join(err, <-other))
}

// end is after both directions have ended.
func (r *relay) end(err error) error {
	r.release()
	return errors.Join(err, ignoreClosed(r.client.Close()), ignoreClosed(r.server.Close()))
}

// release leaves the connections to the caller. It reports false if they
// were aborted before.
func (r *relay) release() bool {
	stopped := r.idle.Stop()
	return r.stop() && stopped
}

// observed tells of whatever is read.
type observed struct {
	io.Reader
	tell func(read []byte)
}

// Read implements io.Reader.
func (o observed) Read(p []byte) (int, error) {
	n, err := o.Reader.Read(p)
	o.tell(p[:n])
	return n, err
}

// endWriting tells the other end that nothing follows.
func endWriting(conn net.Conn) error {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return conn.Close()
}

// reset ends a connection with an error for its other end.
func reset(conn net.Conn) {
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn() // without close_notify (RFC 8446, section 6.1)
	}
	if peer, ok := conn.(*tracked); ok {
		peer.of.remove(peer)
		conn = peer.Conn
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0) // fails on a closed connection alone
	}
	conn.Close() // it is given up
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
