package webhook

import (
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// maxConnections are more than API servers open to one replica. Each takes about
// 30 kB, from the first byte of its handshake on.
const maxConnections = 256

// connections bounds how many there are. One too many ends another: of an address
// that has more than half of them, if there is one, without a request rather than
// with one, and the one that has been so for longest. An API server's requests take
// milliseconds: what holds connections does not keep it out.
type connections struct {
	net.Listener
	most int

	turns atomic.Int64
	mu    sync.Mutex
	open  map[*connection]struct{}
}

type connection struct {
	net.Conn
	of      *connections
	address string
	active  atomic.Bool
	turn    atomic.Int64 // when it became so
	once    sync.Once
}

// LimitConnections returns a listener for the server, which is to serve on it what
// comes to the given one, and no more at once than servers of webhooks do.
func LimitConnections(server *http.Server, listener net.Listener) net.Listener {
	server.ConnState = observe
	return limitConnections(listener, maxConnections)
}

func limitConnections(listener net.Listener, most int) *connections {
	return &connections{Listener: listener, most: most, open: map[*connection]struct{}{}}
}

// Accept implements net.Listener.
func (c *connections) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	accepted := &connection{Conn: conn, of: c, address: addressOf(conn)}
	if surplus := c.add(accepted); surplus != nil {
		// What it was doing ends with an error there. Nothing waits for its end here.
		_ = surplus.Close()
	}
	return accepted, nil
}

func addressOf(conn net.Conn) string {
	if host, _, err := net.SplitHostPort(conn.RemoteAddr().String()); err == nil {
		return host
	}
	return conn.RemoteAddr().String()
}

func (c *connections) add(accepted *connection) (surplus *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	accepted.turn.Store(c.turns.Add(1))
	c.open[accepted] = struct{}{}
	if len(c.open) <= c.most {
		return nil
	}
	surplus = c.surplus(accepted)
	delete(c.open, surplus)
	return surplus
}

// surplus is which one ends for another that was accepted.
func (c *connections) surplus(accepted *connection) *connection {
	of := map[string]int{}
	for conn := range c.open {
		of[conn.address]++
	}
	var worst *connection
	for conn := range c.open {
		if conn != accepted && (worst == nil || conn.before(worst, of)) {
			worst = conn
		}
	}
	return worst
}

// before tells whether c is to end rather than other.
func (c *connection) before(other *connection, of map[string]int) bool {
	half := c.of.most / 2
	if mine, others := of[c.address] > half, of[other.address] > half; mine != others {
		return mine
	}
	if mine, others := c.active.Load(), other.active.Load(); mine != others {
		return !mine
	}
	return c.turn.Load() < other.turn.Load()
}

// Close implements net.Conn.
func (c *connection) Close() error {
	c.once.Do(func() {
		c.of.mu.Lock()
		defer c.of.mu.Unlock()
		delete(c.of.open, c)
	})
	return c.Conn.Close()
}

// observe is an http.Server's ConnState.
func observe(conn net.Conn, state http.ConnState) {
	if wrapped, ok := conn.(interface{ NetConn() net.Conn }); ok { // of TLS
		conn = wrapped.NetConn()
	}
	if c, ok := conn.(*connection); ok {
		c.active.Store(state == http.StateActive)
		c.turn.Store(c.of.turns.Add(1))
	}
}
