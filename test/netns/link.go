package netns

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// End is one end of a cable.
type End struct {
	Namespace *Namespace
	// Name of the interface, such as eth0.
	Name string
	// Addresses of the interface and the networks that are reached over it.
	Addresses []netip.Prefix
}

// vethInfoPeer is VETH_INFO_PEER of linux/veth.h.
const vethInfoPeer = 1

// Connect lays a cable between two namespaces.
func Connect(t testing.TB, a, b End) {
	t.Helper()
	if err := a.Namespace.Do(func() error { return addCable(a, b) }); err != nil {
		t.Fatalf("join %s and %s: %v", a.Name, b.Name, err)
	}
	for _, end := range []End{a, b} {
		if err := end.Namespace.Do(func() error { return setUp(end.Name) }); err != nil {
			t.Fatal(err)
		}
	}
	for _, end := range []End{a, b} {
		end.Namespace.AddAddresses(t, end.Name, end.Addresses...)
	}
}

// AddAddresses adds addresses to an interface of the namespace.
func (n *Namespace) AddAddresses(t testing.TB, name string, addresses ...netip.Prefix) {
	t.Helper()
	for _, address := range addresses {
		if err := n.Do(func() error { return addAddress(name, address) }); err != nil {
			t.Fatal(err)
		}
	}
}

func addCable(a, b End) error {
	e := netlink.NewAttributeEncoder()
	e.String(unix.IFLA_IFNAME, a.Name)
	e.Nested(unix.IFLA_LINKINFO, func(e *netlink.AttributeEncoder) error {
		e.String(unix.IFLA_INFO_KIND, "veth")
		e.Nested(unix.IFLA_INFO_DATA, func(e *netlink.AttributeEncoder) error {
			e.Do(vethInfoPeer, func() ([]byte, error) {
				peer := netlink.NewAttributeEncoder()
				peer.String(unix.IFLA_IFNAME, b.Name)
				peer.Uint32(unix.IFLA_NET_NS_FD, uint32(b.Namespace.file.Fd()))
				return message(unix.IfInfomsg{}, peer)
			})
			return nil
		})
		return nil
	})
	return request(unix.RTM_NEWLINK, netlink.Create|netlink.Excl, unix.IfInfomsg{}, e)
}

func setUp(name string) error {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return err
	}
	up := unix.IfInfomsg{Index: int32(i.Index), Flags: unix.IFF_UP, Change: unix.IFF_UP}
	if err := request(unix.RTM_NEWLINK, 0, up, netlink.NewAttributeEncoder()); err != nil {
		return fmt.Errorf("set %s up: %w", name, err)
	}
	return nil
}

// AddAddress gives an interface of the namespace another address.
func (n *Namespace) AddAddress(t *testing.T, name string, address netip.Prefix) {
	t.Helper()
	if err := n.Do(func() error { return addAddress(name, address) }); err != nil {
		t.Fatal(err)
	}
}

// addAddress adds an address that is used at once: it is unique.
func addAddress(name string, address netip.Prefix) error {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return err
	}
	header := unix.IfAddrmsg{Family: unix.AF_INET, Prefixlen: uint8(address.Bits()), Flags: unix.IFA_F_NODAD, Index: uint32(i.Index)}
	if address.Addr().Is6() {
		header.Family = unix.AF_INET6
	}
	e := netlink.NewAttributeEncoder()
	e.Bytes(unix.IFA_LOCAL, address.Addr().AsSlice())
	e.Bytes(unix.IFA_ADDRESS, address.Addr().AsSlice())
	if err := request(unix.RTM_NEWADDR, netlink.Create|netlink.Excl, header, e); err != nil {
		return fmt.Errorf("add %s to %s: %w", address, name, err)
	}
	if address.Addr().Is6() {
		return awaitLocal(address.Addr())
	}
	return nil
}

// awaitLocal waits for the kernel to take for its own what is sent to an address
// of IPv6, which it does in the background.
func awaitLocal(address netip.Addr) error {
	route := hex.EncodeToString(address.AsSlice()) + " 80 "
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); <-tick.C {
		routes, err := os.ReadFile("/proc/thread-self/net/ipv6_route")
		if err != nil || strings.Contains(string(routes), route) {
			return err
		}
	}
	return fmt.Errorf("%s is no local address after ten seconds", address)
}

// request asks the kernel for something, in the namespace of the thread (rtnetlink(7)).
func request(kind netlink.HeaderType, flags netlink.HeaderFlags, header any, attributes *netlink.AttributeEncoder) (err error) {
	data, err := message(header, attributes)
	if err != nil {
		return err
	}
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, nil)
	if err != nil {
		return err
	}
	_, err = conn.Execute(netlink.Message{
		Header: netlink.Header{Type: kind, Flags: netlink.Request | netlink.Acknowledge | flags},
		Data:   data,
	})
	if closed := conn.Close(); err == nil {
		err = closed
	}
	return err
}

func message(header any, attributes *netlink.AttributeEncoder) ([]byte, error) {
	data, err := binary.Append(nil, binary.NativeEndian, header)
	if err != nil {
		return nil, err
	}
	encoded, err := attributes.Encode()
	return append(data, encoded...), err
}
