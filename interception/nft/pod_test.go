package nft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/osm-edge/osm/interception"
	"github.com/osm-edge/osm/test/netns"
)

// timeout is how long a connection may take that must succeed.
const timeout = 10 * time.Second

func TestMain(m *testing.M) { os.Exit(netns.Run(m)) }

// hosts are those that are connected to, by their addresses in each family.
var hosts = map[string]map[string]string{
	"IPv4": {
		"loopback": "127.0.0.1", "pod": "10.0.0.2", "peer": "10.1.0.1", "database": "10.2.0.1", "island": "10.1.3.1",
		"pod at net1": "192.168.0.2", "peer at net1": "192.168.0.1",
	},
	"IPv6": {
		"loopback": "::1", "pod": "fd00::2", "peer": "fd00:1::1", "database": "fd00:2::1", "island": "fd00:1:3::1",
		"pod at net1": "fd99::2", "peer at net1": "fd99::1",
	},
}

// pod is a network namespace like a pod's, with another for the rest of the world.
type pod struct{ inside, outside *netns.Namespace }

const (
	inboundPort     = 15003
	outboundPort    = 15001
	metricsPort     = 15010
	probePort       = 15901
	applicationPort = 8080
	excludedPort    = 9000
)

// newPod makes a pod with a sidecar and an application. Whoever takes a
// connection says who it is.
func newPod(t *testing.T) pod {
	t.Helper()
	p := pod{inside: netns.New(t), outside: netns.New(t)}
	netns.Connect(t,
		netns.End{Namespace: p.inside, Name: "eth0", Addresses: prefixes("10.0.0.2/8", "fd00::2/16")},
		netns.End{Namespace: p.outside, Name: "eth0", Addresses: prefixes(
			"10.1.0.1/8", "10.2.0.1/8", "10.1.3.1/8", "fd00:1::1/16", "fd00:2::1/16", "fd00:1:3::1/16")})
	netns.Connect(t,
		netns.End{Namespace: p.inside, Name: "net1", Addresses: prefixes("192.168.0.2/24", "fd99::2/64")},
		netns.End{Namespace: p.outside, Name: "net1", Addresses: prefixes("192.168.0.1/24", "fd99::1/64")})
	for _, address := range []string{":8080", ":9000", ":15010", ":15901"} {
		serve(t, p.inside, address, "application")
	}
	for _, address := range []string{":8080", ":9000"} {
		serve(t, p.outside, address, "outside")
	}
	serve(t, p.inside, ":15003", "inbound sidecar")
	serve(t, p.inside, "127.0.0.1:15001", "outbound sidecar")
	serve(t, p.inside, "[::1]:15001", "outbound sidecar")
	return p
}

// config of the pod. The test itself is the application, whose user is not the
// sidecar's.
func config() interception.Config {
	return interception.Config{
		UID:     netns.UID + 1,
		Inbound: interception.Inbound{Port: inboundPort, ExcludePorts: []uint16{metricsPort, probePort, excludedPort}},
		Outbound: interception.Outbound{
			Port: outboundPort, ExcludePorts: []uint16{excludedPort},
			ExcludeRanges: prefixes("10.2.0.0/16", "fd00:2::/32"),
		},
		ExcludeInterfaces: []string{"net1"},
	}
}

func prefixes(texts ...string) (prefixes []netip.Prefix) {
	for _, text := range texts {
		prefixes = append(prefixes, netip.MustParsePrefix(text))
	}
	return prefixes
}

// apply applies c to the pod.
func (p pod) apply(t *testing.T, c interception.Config) {
	t.Helper()
	err := p.inside.Do(func() error {
		ipv6, err := Apply(c)
		if err == nil && !ipv6 {
			err = fmt.Errorf("the tests need a kernel with IPv6")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// serve answers connections by a line, "<name> <original destination>", and
// then by what the client sends.
func serve(t *testing.T, n *netns.Namespace, address, name string) {
	t.Helper()
	var listener net.Listener
	err := n.Do(func() (err error) {
		listener, err = new(net.ListenConfig).Listen(t.Context(), "tcp", address)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go answer(conn.(*net.TCPConn), name)
		}
	}()
	t.Cleanup(func() {
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
		<-ended
	})
}

// answer ends with the client's connection, or else by its deadline.
func answer(conn *net.TCPConn, name string) {
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return
	}
	destination, err := originalDestination(conn)
	if err != nil {
		fmt.Fprintln(conn, name, err)
		return
	}
	fmt.Fprintln(conn, name, destination)
	io.Copy(conn, conn) // the client sees how it ended
}

// originalDestination asks for what the client connected to: SO_ORIGINAL_DST of
// linux/netfilter_ipv4.h, IP6T_SO_ORIGINAL_DST of linux/netfilter_ipv6/ip6_tables.h.
func originalDestination(conn *net.TCPConn) (destination netip.AddrPort, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return netip.AddrPort{}, err
	}
	ipv4 := conn.LocalAddr().(*net.TCPAddr).AddrPort().Addr().Unmap().Is4()
	controlled := raw.Control(func(fd uintptr) {
		if ipv4 {
			// An IPv6Mreq is just large enough for a sockaddr_in.
			var answer *unix.IPv6Mreq
			if answer, err = unix.GetsockoptIPv6Mreq(int(fd), unix.SOL_IP, unix.SO_ORIGINAL_DST); err == nil {
				a := answer.Multiaddr
				destination = netip.AddrPortFrom(netip.AddrFrom4([4]byte(a[4:8])), binary.BigEndian.Uint16(a[2:4]))
			}
			return
		}
		// And an IPv6MTUInfo for a sockaddr_in6.
		var answer *unix.IPv6MTUInfo
		if answer, err = unix.GetsockoptIPv6MTUInfo(int(fd), unix.SOL_IPV6, unix.SO_ORIGINAL_DST); err == nil {
			port := binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, answer.Addr.Port))
			destination = netip.AddrPortFrom(netip.AddrFrom16(answer.Addr.Addr), port)
		}
	})
	switch {
	case controlled != nil:
		return netip.AddrPort{}, controlled
	case errors.Is(err, unix.ENOENT): // nothing tracks connections here
		local := conn.LocalAddr().(*net.TCPAddr).AddrPort()
		return netip.AddrPortFrom(local.Addr().Unmap(), local.Port()), nil
	}
	return destination, err
}

// dial connects from a namespace, and returns who answered.
func dial(t *testing.T, from *netns.Namespace, address string) (net.Conn, string) {
	t.Helper()
	var conn net.Conn
	err := from.Do(func() (err error) {
		conn, err = (&net.Dialer{Timeout: timeout}).DialContext(t.Context(), "tcp", address)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn, readLine(t, conn)
}

func readLine(t *testing.T, conn net.Conn) string {
	t.Helper()
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		t.Fatal(err)
	}
	var line strings.Builder
	for b := make([]byte, 1); b[0] != '\n'; line.Write(b) {
		if _, err := io.ReadFull(conn, b); err != nil {
			t.Fatalf("after %q: %v", line.String(), err)
		}
	}
	return strings.TrimSpace(line.String())
}
