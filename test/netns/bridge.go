package netns

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// AddBridge makes a bridge in the namespace, as a Docker daemon does, over which
// the networks of the addresses are reached.
func (n *Namespace) AddBridge(t *testing.T, name string, addresses ...netip.Prefix) {
	t.Helper()
	n.addLink(t, name, "bridge", nil)
	for _, address := range addresses {
		n.AddAddress(t, name, address)
	}
}

// AddMACVLAN makes an interface with a hardware address of its own on another,
// and puts it into the namespace of the end.
func (n *Namespace) AddMACVLAN(t *testing.T, parent string, end End) {
	t.Helper()
	n.addLink(t, end.Name, "macvlan", func(e *netlink.AttributeEncoder) error {
		i, err := net.InterfaceByName(parent)
		if err != nil {
			return err
		}
		e.Uint32(unix.IFLA_LINK, uint32(i.Index))
		e.Uint32(unix.IFLA_NET_NS_FD, uint32(end.Namespace.file.Fd()))
		return nil
	})
	for _, address := range end.Addresses {
		end.Namespace.AddAddress(t, end.Name, address)
	}
}

// addLink makes an interface that attributes say more of, which may be that it is
// for another namespace. There, it is for its user to set up.
func (n *Namespace) addLink(t *testing.T, name, kind string, attributes func(*netlink.AttributeEncoder) error) {
	t.Helper()
	err := n.Do(func() error {
		e := netlink.NewAttributeEncoder()
		e.String(unix.IFLA_IFNAME, name)
		e.Nested(unix.IFLA_LINKINFO, func(e *netlink.AttributeEncoder) error {
			e.String(unix.IFLA_INFO_KIND, kind)
			return nil
		})
		if attributes != nil {
			if err := attributes(e); err != nil {
				return err
			}
		}
		up := unix.IfInfomsg{Flags: unix.IFF_UP, Change: unix.IFF_UP}
		return request(unix.RTM_NEWLINK, netlink.Create|netlink.Excl, up, e)
	})
	if err != nil {
		t.Fatalf("add %s, a %s: %v", name, kind, err)
	}
}

// Plug connects an interface of the namespace to one of its bridges, and waits
// for the bridge to be up.
func (n *Namespace) Plug(t *testing.T, name, bridge string) {
	t.Helper()
	err := n.Do(func() error {
		link, err := net.InterfaceByName(name)
		if err != nil {
			return err
		}
		master, err := net.InterfaceByName(bridge)
		if err != nil {
			return err
		}
		e := netlink.NewAttributeEncoder()
		e.Uint32(unix.IFLA_MASTER, uint32(master.Index))
		if err := request(unix.RTM_NEWLINK, 0, unix.IfInfomsg{Index: int32(link.Index)}, e); err != nil {
			return err
		}
		return awaitRunning(bridge)
	})
	if err != nil {
		t.Fatalf("plug %s into %s: %v", name, bridge, err)
	}
}

// awaitRunning waits for the kernel to notice that there is a carrier.
func awaitRunning(name string) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); <-tick.C {
		if i, err := net.InterfaceByName(name); err != nil || i.Flags&net.FlagRunning != 0 {
			return err
		}
	}
	return fmt.Errorf("%s is not up after ten seconds", name)
}

// AddRoute has the namespace reach a network by way of a neighbour.
func (n *Namespace) AddRoute(t *testing.T, to netip.Prefix, via netip.Addr) {
	t.Helper()
	err := n.Do(func() error {
		header := unix.RtMsg{
			Family: unix.AF_INET, Dst_len: uint8(to.Bits()), Table: unix.RT_TABLE_MAIN,
			Protocol: unix.RTPROT_STATIC, Scope: unix.RT_SCOPE_UNIVERSE, Type: unix.RTN_UNICAST,
		}
		if via.Is6() {
			header.Family = unix.AF_INET6
		}
		e := netlink.NewAttributeEncoder()
		e.Bytes(unix.RTA_DST, to.Addr().AsSlice())
		e.Bytes(unix.RTA_GATEWAY, via.AsSlice())
		return request(unix.RTM_NEWROUTE, netlink.Create|netlink.Excl, header, e)
	})
	if err != nil {
		t.Fatal(fmt.Errorf("add a route to %s by way of %s: %w", to, via, err))
	}
}

// Forward has the namespace pass on what is for others.
func (n *Namespace) Forward(t *testing.T) {
	t.Helper()
	n.Set(t, "net/ipv4/ip_forward", "1")
	n.Set(t, "net/ipv6/conf/all/forwarding", "1")
}
