package nft

import (
	"errors"
	"net"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/osm-edge/osm/test/netns"
)

// The ports of conversations.
const (
	callerPort = 7000
	calledPort = 8090
)

// conversation is a connection, by the end that is to send first.
type conversation struct {
	name          string
	first, second net.Conn
}

// talk opens connections between the pod and a host, for either end to be first.
func (p pod) talk(t *testing.T, name, host string, outbound bool) (open []conversation) {
	t.Helper()
	from, to := p.outside, p.inside
	if outbound {
		from, to = to, from
	}
	for family, addresses := range hosts {
		caller, called := pair(t, from, to, addresses[host], calledPort)
		open = append(open, conversation{name + " by " + family + ", the caller first", caller, called})
		caller, called = pair(t, from, to, addresses[host], calledPort+1)
		open = append(open, conversation{name + " by " + family + ", the called first", called, caller})
	}
	return open
}

// pair returns both ends of a connection.
func pair(t *testing.T, from, to *netns.Namespace, address string, port uint16) (caller, called net.Conn) {
	t.Helper()
	target := net.JoinHostPort(address, strconv.Itoa(int(port)))
	var listener net.Listener
	err := to.Do(func() (err error) {
		listener, err = new(net.ListenConfig).Listen(t.Context(), "tcp", target)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	err = from.Do(func() (err error) {
		d := net.Dialer{Timeout: timeout, LocalAddr: &net.TCPAddr{Port: callerPort}, Control: reuse}
		caller, err = d.DialContext(t.Context(), "tcp", target)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { caller.Close() })
	if called, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { called.Close() })
	return caller, called
}

// reuse lets a port call two others.
func reuse(_, _ string, c syscall.RawConn) error {
	var set error
	controlled := c.Control(func(fd uintptr) {
		set = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	})
	return errors.Join(controlled, set)
}

// moment is how long passes waits where nothing is to pass, and there is nothing
// but time to wait for. A lost segment is sent again after 200 ms.
const moment = 300 * time.Millisecond

// passes has the first ends send, and then the others, and returns the names of
// the connections on which a byte arrives, once for each.
func passes(t *testing.T, open []conversation, wait time.Duration) (names []string) {
	t.Helper()
	for range 2 {
		for _, c := range open {
			if _, err := c.first.Write([]byte("!")); err != nil {
				t.Logf("on a connection %s nothing can be sent: %v", c.name, err)
			}
		}
		arrived := make(chan string)
		for i, c := range open {
			go func() {
				if reads(c.second, wait) {
					arrived <- c.name
				} else {
					arrived <- ""
				}
			}()
			open[i].first, open[i].second = c.second, c.first
		}
		for range open {
			if name := <-arrived; name != "" {
				names = append(names, name)
			}
		}
	}
	return names
}

// reads reports whether a byte arrives in time.
func reads(conn net.Conn, wait time.Duration) bool {
	if err := conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return false
	}
	n, _ := conn.Read(make([]byte, 1))
	return n > 0
}
