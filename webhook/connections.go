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

// connections bounds how many there are. One too many ends the oldest of the
// address that has the most, one without a request if there is one: whatever a
// client opens, it keeps no other out.
type connections struct {
	net.Listener
	most int

	mu     sync.Mutex
	opened int64
	open   map[*connection]struct{}
}

type connection struct {
	net.Conn
	of      *connections
	address string
	number  int64
	active  atomic.Bool
	once    sync.Once
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
	c.opened++
	accepted.number = c.opened
	c.open[accepted] = struct{}{}
	if len(c.open) <= c.most {
		return nil
	}
	surplus = c.surplus()
	delete(c.open, surplus)
	return surplus
}

func (c *connections) surplus() *connection {
	of := map[string]int{}
	for conn := range c.open {
		of[conn.address]++
	}
	var worst *connection
	for conn := range c.open {
		if worst == nil || conn.before(worst, of) {
			worst = conn
		}
	}
	return worst
}

// before tells whether c is to end rather than other.
func (c *connection) before(other *connection, of map[string]int) bool {
	if mine, others := of[c.address], of[other.address]; mine != others {
		return mine > others
	}
	if mine, others := c.active.Load(), other.active.Load(); mine != others {
		return !mine
	}
	return c.number < other.number
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
	}
}
