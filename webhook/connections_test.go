package webhook

import (
	"net"
	"net/http"
	"net/netip"
	"testing"
)

// addressed is a connection from an address, which is never used.
type addressed struct {
	net.Conn
	from   string
	closed bool
}

func (a *addressed) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(a.from), 1))
}

func (a *addressed) Close() error { a.closed = true; return nil }

// queue is a listener of connections that are there already.
type queue []net.Conn

func (q *queue) Accept() (net.Conn, error) {
	next := (*q)[0]
	*q = (*q)[1:]
	return next, nil
}

func (*queue) Close() error   { return nil }
func (*queue) Addr() net.Addr { return nil }

func TestOneConnectionTooManyEndsAnother(t *testing.T) {
	tests := map[string]struct {
		from   []string // of the connections, the last one too many of four
		active []int
		idle   []int // again, later
		closed int
	}{
		"of who has the most":            {from: []string{"10.0.0.1", "10.0.0.2", "10.0.0.2", "10.0.0.2", "10.0.0.1"}, closed: 1},
		"of who has the most, if active": {from: []string{"10.0.0.1", "10.0.0.2", "10.0.0.2", "10.0.0.2", "10.0.0.1"}, active: []int{1, 2, 3}, closed: 1},
		"without a request first":        {from: []string{"10.0.0.2", "10.0.0.2", "10.0.0.2", "10.0.0.2", "10.0.0.1"}, active: []int{0, 1, 3}, closed: 2},
		"the oldest of many addresses":   {from: []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.1", "10.0.0.1"}, active: []int{1, 2, 0, 3}, closed: 1},
		"not one that was just active":   {from: []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"}, active: []int{0}, idle: []int{0}, closed: 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var waiting queue
			for _, from := range test.from {
				waiting = append(waiting, &addressed{from: from})
			}
			all := append(queue(nil), waiting...)
			limited := limitConnections(&waiting, 4)
			var accepted []net.Conn
			for i := range all {
				if i == 4 {
					for _, n := range test.active {
						observe(accepted[n], http.StateActive)
					}
					for _, n := range test.idle {
						observe(accepted[n], http.StateIdle)
					}
				}
				conn, err := limited.Accept()
				if err != nil {
					t.Fatal(err)
				}
				accepted = append(accepted, conn)
			}
			for i, conn := range all {
				if closed := conn.(*addressed).closed; closed != (i == test.closed) {
					t.Errorf("connection %d is closed: %t", i, closed)
				}
			}
		})
	}
}
