package nft

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/osm-edge/osm/test/netns"
	"github.com/osm-edge/osm/test/segment"
)

// mustNotOpen tries a connection for a moment.
func mustNotOpen(t *testing.T, n *netns.Namespace, address string) {
	t.Helper()
	err := n.Do(func() error {
		conn, err := net.DialTimeout("tcp", address, moment)
		if err == nil {
			err = conn.Close()
			t.Errorf("a connection to %s is open", address)
		}
		return err
	})
	if err != nil {
		t.Log(err)
	}
}

func TestWhatIsNotTrackedIsNotBelieved(t *testing.T) {
	p := newPod(t)
	p.apply(t, config())
	p.inside.DoNotTrack(t)
	for _, addresses := range hosts {
		mustNotOpen(t, p.outside, net.JoinHostPort(addresses["pod"], "8080"))
		mustNotOpen(t, p.inside, net.JoinHostPort(addresses["peer"], "8080"))
		excluded := net.JoinHostPort(addresses["pod"], "9000")
		if _, got := dial(t, p.outside, excluded); got != "application "+excluded {
			t.Errorf("to an excluded port: %s", got)
		}
	}
}

func TestWithAFullTableOfConnectionsNothingGoesPastTheSidecar(t *testing.T) {
	p := newPod(t)
	c := config()
	c.UID = netns.UID
	p.apply(t, c)
	open := p.talk(t, "of the sidecar", "peer", true)
	empty := p.inside.FillConntrack(t)
	for _, addresses := range hosts {
		mustNotOpen(t, p.outside, net.JoinHostPort(addresses["pod"], "8080"))
		// The kernel itself drops what it has no place for.
		mustNotOpen(t, p.outside, net.JoinHostPort(addresses["pod"], "9000"))
	}
	if got := passes(t, open, timeout); len(got) != 2*len(open) {
		t.Errorf("of %d connections that were open, bytes pass on %q", len(open), got)
	}
	empty()
	for _, addresses := range hosts {
		intercepted := net.JoinHostPort(addresses["pod"], "8080")
		if _, got := dial(t, p.outside, intercepted); got != "inbound sidecar "+intercepted {
			t.Errorf("when there is place again: %s", got)
		}
	}
}

// TestASYNIsNoReply sends a SYN from where the pod tried to connect, to the port
// that it did that from. An application may listen there by now.
func TestASYNIsNoReply(t *testing.T) {
	p := newPod(t)
	c := config()
	excludeAll(&c)
	p.apply(t, c)
	for family, absent := range map[string]string{"IPv4": "10.2.9.9", "IPv6": "fd00:2::9"} {
		t.Run(family, func(t *testing.T) {
			s := segment.Segment{
				Flags: segment.SYN, Signed: true,
				From: netip.AddrPortFrom(netip.MustParseAddr(absent), applicationPort),
				To:   netip.AddrPortFrom(netip.MustParseAddr(hosts[family]["pod"]), 20000),
			}
			err := p.inside.Do(func() error {
				conn, err := (&net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(s.To), Timeout: 50 * time.Millisecond}).Dial("tcp", s.From.String())
				if err == nil {
					return fmt.Errorf("%s answers", conn.RemoteAddr())
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := p.received(t, s); got != 0 {
				t.Errorf("TCP received %d segments", got)
			}
		})
	}
}

// TestASYNIsNotProvenByTheConnectionThatItIsTakenFor sends a SYN on a way that
// was left alone, and is not any more.
func TestASYNIsNotProvenByTheConnectionThatItIsTakenFor(t *testing.T) {
	p := newPod(t)
	c := config()
	excludeAll(&c)
	p.apply(t, c)
	for family, addresses := range hosts {
		caller, _ := pair(t, p.inside, p.outside, addresses["peer"], calledPort)
		s := segment.Segment{
			Flags: segment.SYN, Signed: true,
			From: caller.LocalAddr().(*net.TCPAddr).AddrPort(), To: caller.RemoteAddr().(*net.TCPAddr).AddrPort(),
		}
		if err := p.inside.Do(s.Send); err != nil {
			t.Errorf("by %s, left alone: %v", family, err)
		}
		p.apply(t, config())
		// Who sends it is told of the drop.
		if err := p.inside.Do(s.Send); !errors.Is(err, unix.EPERM) {
			t.Errorf("by %s: error %v, want that it is not permitted", family, err)
		}
		p.apply(t, c)
	}
}

// TestASYNIsNoReplyOfAnExcludedPort calls from such a port, whose replies pass,
// after an ACK has had connection tracking take the call for open.
func TestASYNIsNoReplyOfAnExcludedPort(t *testing.T) {
	p := newPod(t)
	p.apply(t, config())
	for family, addresses := range hosts {
		s := segment.Segment{
			Flags: segment.ACK, Signed: true,
			From: netip.AddrPortFrom(netip.MustParseAddr(addresses["pod"]), excludedPort),
			To:   netip.AddrPortFrom(netip.MustParseAddr(addresses["peer"]), applicationPort),
		}
		if err := p.inside.Do(s.Send); err != nil {
			t.Errorf("an ACK by %s: %v", family, err)
		}
		s.Flags = segment.SYN
		if err := p.inside.Do(s.Send); !errors.Is(err, unix.EPERM) {
			t.Errorf("a SYN by %s: error %v, want that it is not permitted", family, err)
		}
	}
}

// TestAPeerDoesNotAnswerPastTheSidecar sends what looks like an answer to a
// connection of the application that the sidecar has taken.
func TestAPeerDoesNotAnswerPastTheSidecar(t *testing.T) {
	p := newPod(t)
	p.apply(t, config())
	for family, addresses := range hosts {
		conn, _ := dial(t, p.inside, net.JoinHostPort(addresses["peer"], "8080"))
		for _, kind := range segment.Unsolicited() {
			t.Run(kind.Name+" by "+family, func(t *testing.T) {
				s := kind.Between(conn.RemoteAddr().(*net.TCPAddr).AddrPort(), conn.LocalAddr().(*net.TCPAddr).AddrPort())
				if got := p.received(t, s); got != 0 {
					t.Errorf("TCP received %d segments", got)
				}
			})
		}
		if err := echo(conn); err != nil {
			t.Errorf("the connection: %v", err)
		}
	}
}
