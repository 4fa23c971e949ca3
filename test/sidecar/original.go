package sidecar

import (
	"encoding/binary"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/osm-edge/osm/injector"
)

// ip6tOriginalDst is IP6T_SO_ORIGINAL_DST of linux/netfilter_ipv6/ip6_tables.h.
const ip6tOriginalDst = 80

// destination is where a connection to the listener was going before the
// kernel led it there. There is none if it was going to the listener's own port.
func (s *Sidecar) destination(conn net.Conn, l injector.Listener) (netip.AddrPort, bool) {
	original, ok := s.options.OriginalDestination(conn)
	return original, ok && original.Port() != portOn(l)
}

// originalDestination asks the kernel's connection tracking, which knows
// nothing of a connection that was not redirected.
func originalDestination(conn net.Conn) (netip.AddrPort, bool) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return netip.AddrPort{}, false
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return netip.AddrPort{}, false
	}
	read := originalIPv6
	if tcp.LocalAddr().(*net.TCPAddr).AddrPort().Addr().Unmap().Is4() {
		read = originalIPv4
	}
	var original netip.AddrPort
	var asked error
	err = raw.Control(func(fd uintptr) { original, asked = read(int(fd)) })
	return original, err == nil && asked == nil
}

// originalIPv4 reads a sockaddr_in, in the first 16 bytes of another struct
// because x/sys/unix has no call for it.
func originalIPv4(fd int) (netip.AddrPort, error) {
	answer, err := unix.GetsockoptIPv6Mreq(fd, syscall.IPPROTO_IP, unix.SO_ORIGINAL_DST)
	if err != nil {
		return netip.AddrPort{}, err
	}
	b := answer.Multiaddr
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), uint16(b[2])<<8|uint16(b[3])), nil
}

// originalIPv6 reads a sockaddr_in6, with which another struct begins.
func originalIPv6(fd int) (netip.AddrPort, error) {
	answer, err := unix.GetsockoptIPv6MTUInfo(fd, syscall.IPPROTO_IPV6, ip6tOriginalDst)
	if err != nil {
		return netip.AddrPort{}, err
	}
	return netip.AddrPortFrom(netip.AddrFrom16(answer.Addr.Addr), networkOrder(answer.Addr.Port)), nil
}

// networkOrder reads a port as the kernel wrote it, most significant byte first.
func networkOrder(port uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], port)
	return binary.BigEndian.Uint16(b[:])
}
