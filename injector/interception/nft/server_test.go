package nft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/osm-edge/osm/test/netns"
)

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
	return dialBy(t, from, &net.Dialer{Timeout: timeout}, address)
}

func dialBy(t *testing.T, from *netns.Namespace, dialer *net.Dialer, address string) (net.Conn, string) {
	t.Helper()
	var conn net.Conn
	err := from.Do(func() (err error) {
		conn, err = dialer.DialContext(t.Context(), "tcp", address)
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
