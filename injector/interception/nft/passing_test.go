package nft

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/osm-edge/osm/injector/interception"
	"github.com/osm-edge/osm/test/netns"
)

// TestWhatIsLeftOfAClosedSocketIsSent closes a connection with more to send than
// there is room for on the way. The kernel sends the rest without a process.
func TestWhatIsLeftOfAClosedSocketIsSent(t *testing.T) {
	const size = 1 << 20
	for name, change := range map[string]func(*interception.Config){
		"the sidecar's": func(c *interception.Config) { c.UID = netns.UID },
		"excluded":      excludeAll,
	} {
		t.Run(name, func(t *testing.T) {
			p := newPod(t)
			c := config()
			change(&c)
			p.apply(t, c)
			for _, addresses := range hosts {
				caller, called := pair(t, p.inside, p.outside, addresses["peer"], calledPort)
				if err := caller.(*net.TCPConn).SetWriteBuffer(2 * size); err != nil {
					t.Fatal(err)
				}
				written, err := caller.Write(bytes.Repeat([]byte("!"), size))
				if err != nil {
					t.Fatal(err)
				}
				if err := caller.Close(); err != nil {
					t.Fatal(err)
				}
				if err := called.SetDeadline(time.Now().Add(timeout)); err != nil {
					t.Fatal(err)
				}
				if read, err := io.Copy(io.Discard, called); err != nil || read != int64(written) {
					t.Errorf("%d of %d bytes arrive: %v", read, written, err)
				}
			}
		})
	}
}

// TestRepliesOfAnExcludedInterfaceMayGoAnotherWay connects from an address that
// is reached over the other interface.
func TestRepliesOfAnExcludedInterfaceMayGoAnotherWay(t *testing.T) {
	p := newPod(t)
	p.apply(t, config())
	for family, addresses := range hosts {
		for _, way := range []struct {
			namespace *netns.Namespace
			from, to  string
			want      string
		}{
			{p.outside, "peer", "pod at net1", "application "},
			{p.inside, "pod", "peer at net1", "outside "},
		} {
			from := netip.AddrPortFrom(netip.MustParseAddr(addresses[way.from]), 20000)
			to := net.JoinHostPort(addresses[way.to], "8080")
			if _, got := dialFrom(t, way.namespace, from, to); got != way.want+to {
				t.Errorf("from %s to %s by %s: %s", way.from, way.to, family, got)
			}
		}
	}
}

func TestErrorsOfICMPPass(t *testing.T) {
	p := newPod(t)
	c := config()
	c.UID = netns.UID
	c.Inbound.ExcludePorts = append(c.Inbound.ExcludePorts, calledPort)
	p.apply(t, c)
	refuseByICMP(t, p.inside, calledPort)
	refuseByICMP(t, p.outside, calledPort)
	for family, addresses := range hosts {
		for host, from := range map[string]*netns.Namespace{"peer": p.inside, "database": p.inside, "pod": p.outside} {
			err := from.Do(func() error {
				conn, err := net.DialTimeout("tcp", net.JoinHostPort(addresses[host], "8090"), timeout)
				if err == nil {
					err = errors.Join(conn.Close(), errors.New("it is open"))
				}
				return err
			})
			if !errors.Is(err, unix.ECONNREFUSED) {
				t.Errorf("a connection to %s by %s: %v, want that it is refused", host, family, err)
			}
		}
	}
}

// refuseByICMP has a namespace answer all segments to a port by errors.
func refuseByICMP(t *testing.T, n *netns.Namespace, port uint16) {
	t.Helper()
	n.AddRule(t, nftables.ChainHookInput, nftables.ChainPrioritySecurity,
		meta(expr.MetaKeyL4PROTO), is([]byte{unix.IPPROTO_TCP}),
		destinationPort(), is(binaryutil.BigEndian.PutUint16(port)),
		&expr.Reject{Type: unix.NFT_REJECT_ICMPX_UNREACH, Code: unix.NFT_REJECT_ICMPX_PORT_UNREACH})
}
