package cluster

import (
	"context"
	"fmt"
	"net"
	"sync"

	"github.com/osm-edge/osm/test/cluster/relay"
)

// wire is the way from a pod's processes to the API server. It can be cut, as networks are: what is said then arrives when
// it is fixed, and until then neither side is told that it does not.
type wire struct {
	address string
	cancel  context.CancelFunc
	served  sync.WaitGroup

	mu   sync.Mutex
	open chan struct{} // closed unless the wire is cut
}

// newWire leads to the API server's address. Its owner closes it.
func newWire(to string) (*wire, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &wire{address: listener.Addr().String(), cancel: cancel, open: make(chan struct{})}
	close(w.open)
	w.served.Go(func() {
		_ = relay.Serve(ctx, listener, func(ctx context.Context) (net.Conn, error) { // ends when the wire is closed
			w.wait(ctx)
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", to)
			return &wired{conn, w, ctx}, err
		})
	})
	return w, nil
}

func (w *wire) close() {
	w.cancel()
	w.served.Wait()
}

// cut cuts the wire until the function that it returns is called.
func (w *wire) cut() (fix func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.open:
		w.open = make(chan struct{})
	default: // another caller has, which fixes it
		return func() {}
	}
	open := w.open
	return sync.OnceFunc(func() { close(open) })
}

// wait returns when the wire is not cut, or ctx ends.
func (w *wire) wait(ctx context.Context) {
	w.mu.Lock()
	open := w.open
	w.mu.Unlock()
	select {
	case <-open:
	case <-ctx.Done():
	}
}

// wired is a connection by wire.
type wired struct {
	net.Conn
	wire *wire
	ctx  context.Context // of the wire
}

// Read implements net.Conn.
func (c *wired) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.wire.wait(c.ctx)
	return n, err
}

// Write implements net.Conn.
func (c *wired) Write(p []byte) (int, error) {
	c.wire.wait(c.ctx)
	return c.Conn.Write(p)
}

// CloseWrite is for relay, which closes by halves.
func (c *wired) CloseWrite() error {
	half, ok := c.Conn.(*net.TCPConn)
	if !ok {
		return fmt.Errorf("a %T can't be closed by halves", c.Conn)
	}
	return half.CloseWrite()
}
