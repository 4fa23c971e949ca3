package nft

import (
	"net"
	"net/netip"
	"testing"

	"github.com/osm-edge/osm/test/netns"
	"github.com/osm-edge/osm/test/segment"
)

// TestWhicheverAddressOfThePodIsCalledItIsInbound calls addresses of the pod's
// other interfaces by way of eth0.
func TestWhicheverAddressOfThePodIsCalledItIsInbound(t *testing.T) {
	p := newPod(t)
	p.inside.Forward(t)
	p.inside.AddBridge(t, "docker0", gateways()...)
	p.apply(t, config())
	p.inside.AddBridge(t, "later", prefixes("172.18.0.1/16", "fdd1::1/64")...)
	for family, others := range map[string][]string{
		"IPv4": {"172.17.0.1", "172.18.0.1"}, "IPv6": {"fdd0::1", "fdd1::1"},
	} {
		for _, other := range others {
			to := netip.MustParseAddr(other)
			p.outside.AddRoute(t, netip.PrefixFrom(to, to.BitLen()), netip.MustParseAddr(hosts[family]["pod"]))
			for port, want := range map[string]string{"8080": "inbound sidecar ", "15001": "inbound sidecar ", "9000": "application "} {
				address := net.JoinHostPort(other, port)
				if _, got := dial(t, p.outside, address); got != want+address {
					t.Errorf("to %s: %s, want %s", address, got, want)
				}
			}
		}
	}
}

// TestALinkLocalAddressOfThePodIsInbound finds the address that the kernel gave
// the interface (RFC 4291, section 2.5.6).
func TestALinkLocalAddressOfThePodIsInbound(t *testing.T) {
	p := newPod(t)
	p.apply(t, config())
	own, err := linkLocal(p.inside)
	if err != nil {
		t.Fatal(err)
	}
	if _, got := dial(t, p.outside, net.JoinHostPort(own+"%eth0", "8080")); got != "inbound sidecar "+net.JoinHostPort(own, "8080") {
		t.Errorf("to %s: %s", own, got)
	}
}

func linkLocal(n *netns.Namespace) (address string, err error) {
	err = n.Do(func() error {
		i, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		all, err := i.Addrs()
		for _, a := range all {
			if ip := a.(*net.IPNet).IP; ip.IsLinkLocalUnicast() {
				address = ip.String()
			}
		}
		return err
	})
	return address, err
}

// TestForwardingLeadsNothingFromOutsideToLoopback has the pod pass on packets,
// and sends it those that are for its loopback interface.
func TestForwardingLeadsNothingFromOutsideToLoopback(t *testing.T) {
	p := newPod(t)
	p.inside.Forward(t)
	p.apply(t, config())
	for family, addresses := range hosts {
		pod := netip.MustParseAddr(addresses["pod"])
		for _, kind := range append(segment.Unsolicited(), segment.Openings()...) {
			s := kind.Between(
				netip.AddrPortFrom(netip.MustParseAddr(addresses["peer"]), 20000),
				netip.AddrPortFrom(netip.MustParseAddr(addresses["loopback"]), applicationPort))
			s.Via = pod
			// To the sidecar's own port it may get, which carries nothing to loopback.
			if got := p.inside.Receives(t, p.outside, pod, s.Send); got != 0 && s.Flags&segment.SYN == 0 {
				t.Errorf("%s by %s: TCP received %d segments", kind.Name, family, got)
			}
		}
	}
}

// TestAContainerWithAnInterfaceOfItsOwnIsNotIntercepted is for macvlan, which
// shares no more than the wire with the pod.
func TestAContainerWithAnInterfaceOfItsOwnIsNotIntercepted(t *testing.T) {
	p := newPod(t)
	p.apply(t, config())
	nested := netns.New(t)
	p.inside.AddMACVLAN(t, "eth0", netns.End{Namespace: nested, Name: "eth0", Addresses: prefixes("10.0.0.3/8", "fd00::3/16")})
	for _, addresses := range hosts {
		address := net.JoinHostPort(addresses["peer"], "8080")
		if _, got := dial(t, nested, address); got != "outside "+address {
			t.Errorf("to %s: %s", address, got)
		}
	}
}
