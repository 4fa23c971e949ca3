package nft

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/osm-edge/osm/test/netns"
	"github.com/osm-edge/osm/test/segment"
)

var both = []string{"IPv4", "IPv6"}

// TestWhateverComesFirstTheSidecarTakesTheConnection sends a segment, and then
// connects from the same port.
func TestWhateverComesFirstTheSidecarTakesTheConnection(t *testing.T) {
	p := newPod(t)
	p.apply(t, config())
	first(t, p, segment.Unsolicited(), both, func(t *testing.T, s segment.Segment) {
		if _, got := dialFrom(t, p.outside, s.From, s.To.String()); got != "inbound sidecar "+s.To.String() {
			t.Errorf("it is taken by %s", got)
		}
	})
}

// TestAfterAnotherOpeningTheApplicationTakesNoConnection allows that there is
// none: the numbers of the first SYN are those that connection tracking expects.
func TestAfterAnotherOpeningTheApplicationTakesNoConnection(t *testing.T) {
	p := newPod(t)
	p.apply(t, config())
	first(t, p, segment.Openings(), both, func(t *testing.T, s segment.Segment) {
		err := p.outside.Do(func() error { return refuseApplication(s.From, s.To) })
		if err != nil {
			t.Error(err)
		}
	})
}

func refuseApplication(from, to netip.AddrPort) error {
	conn, err := (&net.Dialer{Timeout: moment, LocalAddr: net.TCPAddrFromAddrPort(from)}).Dial("tcp", to.String())
	if err != nil {
		return nil
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(moment)); err != nil {
		return err
	}
	answer, _ := io.ReadAll(io.LimitReader(conn, int64(len("application"))))
	if string(answer) == "application" {
		return errors.New("the application takes it")
	}
	return nil
}

// first sends each kind of segment to the application, from a port of its own,
// by these families and with both settings for what connection tracking has not
// seen opened, and then calls f.
func first(t *testing.T, p pod, kinds []segment.Kind, families []string, f func(*testing.T, segment.Segment)) {
	port := uint16(20000)
	for _, loose := range []string{"0", "1"} {
		p.inside.Set(t, "net/netfilter/nf_conntrack_tcp_loose", loose)
		for _, kind := range kinds {
			for _, family := range families {
				addresses := hosts[family]
				port++
				t.Run(fmt.Sprintf("%s by %s, loose=%s", kind.Name, family, loose), func(t *testing.T) {
					s := kind.Between(
						netip.AddrPortFrom(netip.MustParseAddr(addresses["peer"]), port),
						netip.AddrPortFrom(netip.MustParseAddr(addresses["pod"]), applicationPort))
					if err := p.outside.Do(s.Send); err != nil {
						t.Fatal(err)
					}
					f(t, s)
				})
			}
		}
	}
}

// TestOnlyWhatIsTheSidecarsOrExcludedGetsToTCP looks at what the kernel counts.
func TestOnlyWhatIsTheSidecarsOrExcludedGetsToTCP(t *testing.T) {
	p := newPod(t)
	p.apply(t, config())
	first(t, p, segment.Unsolicited(), both, func(t *testing.T, s segment.Segment) {
		for port, want := range map[uint16]int{applicationPort: 0, outboundPort: 0, excludedPort: 1, probePort: 1, inboundPort: 1} {
			s.To = netip.AddrPortFrom(s.To.Addr(), port)
			if got := p.received(t, s); got != want {
				t.Errorf("TCP received %d segments to port %d, want %d", got, port, want)
			}
		}
	})
}

// TestWhatCameOverAnExcludedInterfaceProvesNothingForOthers sends the same over
// two interfaces. By IPv6 a host does not answer for the address of another one.
func TestWhatCameOverAnExcludedInterfaceProvesNothingForOthers(t *testing.T) {
	p := newPod(t)
	p.apply(t, config())
	addresses := hosts["IPv4"]
	for i, flags := range []byte{segment.ACK, segment.SYN} {
		s := segment.Segment{
			Flags: flags, Signed: true, Via: netip.MustParseAddr(addresses["pod at net1"]),
			From: netip.AddrPortFrom(netip.MustParseAddr(addresses["peer"]), 20000+uint16(i)),
			To:   netip.AddrPortFrom(netip.MustParseAddr(addresses["pod"]), applicationPort),
		}
		for _, want := range []int{1, 0} {
			if got := p.received(t, s); got != want {
				t.Errorf("TCP received %d segments by way of %s, want %d", got, s.Via, want)
			}
			s.Via = s.To.Addr()
		}
	}
}

// received sends a segment to the pod, and returns how many TCP received there.
func (p pod) received(t *testing.T, s segment.Segment) int {
	t.Helper()
	return p.inside.Receives(t, p.outside, s.To.Addr(), s.Send)
}

func dialFrom(t *testing.T, n *netns.Namespace, from netip.AddrPort, address string) (net.Conn, string) {
	t.Helper()
	return dialBy(t, n, &net.Dialer{Timeout: timeout, LocalAddr: net.TCPAddrFromAddrPort(from)}, address)
}
