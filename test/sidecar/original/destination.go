// Package original asks the kernel where a connection was going before a rule of
// the packet filter redirected it. It must not know who made the rule.
package original

import (
	"encoding/binary"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// ip6tOriginalDst is IP6T_SO_ORIGINAL_DST of linux/netfilter_ipv6/ip6_tables.h.
const ip6tOriginalDst = 80

// Destination returns where the connection was going, which is where it came if
// it was not redirected. There is none if the kernel does not know, as of
// connections of a network namespace that redirects none, and of those that are
// not TCP.
func Destination(conn net.Conn) (netip.AddrPort, bool) {
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
	answer, err := unix.GetsockoptIPv6Mreq(fd, unix.SOL_IP, unix.SO_ORIGINAL_DST)
	if err != nil {
		return netip.AddrPort{}, err
	}
	b := answer.Multiaddr
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), uint16(b[2])<<8|uint16(b[3])), nil
}

// originalIPv6 reads a sockaddr_in6, with which another struct begins.
func originalIPv6(fd int) (netip.AddrPort, error) {
	answer, err := unix.GetsockoptIPv6MTUInfo(fd, unix.SOL_IPV6, ip6tOriginalDst)
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
