package nft

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/osm-edge/osm/interception"
	"github.com/osm-edge/osm/test/netns"
)

// befores are what there may have been before the rules.
var befores = map[string]func(*testing.T, pod){
	"nothing":             func(*testing.T, pod) {},
	"connection tracking": func(t *testing.T, p pod) { p.inside.Track(t) },
	"rules that were removed": func(t *testing.T, p pod) {
		p.apply(t, config())
		p.inside.RemoveTable(t, tableName)
	},
	"rules that excluded it": func(t *testing.T, p pod) {
		c := config()
		c.Inbound.ExcludePorts = append(c.Inbound.ExcludePorts, calledPort, calledPort+1)
		excludeAll(&c)
		p.apply(t, c)
	},
}

func TestConnectionsOfBeforeEnd(t *testing.T) {
	ways := map[string]struct {
		host     string
		outbound bool
		change   func(*interception.Config)
	}{
		"from outside": {"pod", false, func(*interception.Config) {}},
		// The pod may call that without the sidecar, but not answer its calls.
		"from an excluded range":   {"pod", false, excludeAll},
		"from what isn't included": {"pod", false, includeOthers},
		"from an excluded port":    {"pod", false, excludeCallers},
		"to outside":               {"peer", true, func(*interception.Config) {}},
		// Nothing tells that from an answer to a call.
		"to an excluded range": {"peer", true, excludeAll},
	}
	for before, prepare := range befores {
		for _, loose := range []string{"0", "1"} {
			t.Run(fmt.Sprintf("before: %s, loose=%s", before, loose), func(t *testing.T) {
				t.Parallel()
				var open []conversation
				for name, way := range ways {
					if way.outbound && before == "rules that excluded it" {
						continue // and saw it opened: see TestWhatTheRulesSawOpenedGoesOn
					}
					p := newPod(t)
					p.inside.Set(t, "net/netfilter/nf_conntrack_tcp_loose", loose)
					prepare(t, p)
					open = append(open, p.talk(t, name, way.host, way.outbound)...)
					c := config()
					way.change(&c)
					p.apply(t, c)
				}
				for _, name := range passes(t, open) {
					t.Errorf("something passes on a connection %s", name)
				}
			})
		}
	}
}

// The ports of conversations.
const (
	callerPort = 7000
	calledPort = 8090
)

func excludeCallers(c *interception.Config) {
	c.Outbound.ExcludePorts = append(c.Outbound.ExcludePorts, callerPort)
}

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
func reuse(_, _ string, c syscall.RawConn) (err error) {
	return errors.Join(c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	}), err)
}

// passes has the first ends send, and then the others, and returns the names of
// the connections on which a byte arrives, once for each. Where none does, there
// is nothing but time to wait for.
func passes(t *testing.T, open []conversation) (names []string) {
	t.Helper()
	const wait = 300 * time.Millisecond // with a retransmission, after 200 ms
	for range 2 {
		for _, c := range open {
			if _, err := c.first.Write([]byte("!")); err != nil {
				t.Logf("on a connection %s nothing can be sent: %v", c.name, err)
			}
		}
		deadline := time.Now().Add(wait)
		for i, c := range open {
			if err := c.second.SetReadDeadline(deadline); err != nil {
				t.Fatal(err)
			}
			if n, _ := c.second.Read(make([]byte, 1)); n > 0 {
				names = append(names, c.name)
			}
			open[i].first, open[i].second = c.second, c.first
		}
	}
	return names
}

// TestWhatTheRulesSawOpenedGoesOn sets them twice.
func TestWhatTheRulesSawOpenedGoesOn(t *testing.T) {
	excludeCalled := func(c *interception.Config) {
		c.Inbound.ExcludePorts = append(c.Inbound.ExcludePorts, calledPort, calledPort+1)
		c.Outbound.ExcludePorts = append(c.Outbound.ExcludePorts, calledPort, calledPort+1)
	}
	beTheSidecar := func(c *interception.Config) { c.UID = netns.UID }
	ways := map[string]struct {
		to       string
		outbound bool
		change   func(*interception.Config)
		// stateless connections need not be seen from the start.
		stateless bool
	}{
		"to an excluded range":                {"database", true, nil, false},
		"to what isn't included":              {"peer", true, includeOthers, false},
		"to an excluded port":                 {"peer", true, excludeCalled, false},
		"by the sidecar":                      {"peer", true, beTheSidecar, false},
		"over an excluded interface":          {"peer at net1", true, nil, true},
		"from outside to such a port":         {"pod", false, excludeCalled, true},
		"from outside over such an interface": {"pod at net1", false, nil, true},
	}
	for _, loose := range []string{"0", "1"} {
		t.Run("loose="+loose, func(t *testing.T) {
			t.Parallel()
			var open []conversation
			for name, way := range ways {
				c := config()
				if way.change != nil {
					way.change(&c)
				}
				for _, applied := range []bool{true, false} {
					if !applied && !way.stateless {
						continue
					}
					p := newPod(t)
					p.inside.Set(t, "net/netfilter/nf_conntrack_tcp_loose", loose)
					if applied {
						p.apply(t, c)
					}
					open = append(open, p.talk(t, fmt.Sprintf("%s, rules before: %t,", name, applied), way.to, way.outbound)...)
					p.apply(t, c)
				}
			}
			got := passes(t, open)
			for _, c := range open {
				if n := len(slices.DeleteFunc(slices.Clone(got), func(name string) bool { return name != c.name })); n != 2 {
					t.Errorf("%d bytes pass on a connection %s, want one in each direction", n, c.name)
				}
			}
		})
	}
}
