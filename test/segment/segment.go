// Package segment sends TCP segments as they are written, by raw sockets: what
// any pod with the capability NET_RAW can do, which container engines give by
// default. The sender's kernel knows nothing of a connection.
//
// The package must not know who is attacked.
package segment

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// The flags of a segment (RFC 9293, section 3.1).
const (
	FIN = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
)

// Segment is a TCP segment, and how it is packed. From need not be the sender's
// address.
type Segment struct {
	From, To netip.AddrPort
	Flags    byte
	// Sequence and Acknowledgment are its numbers.
	Sequence, Acknowledgment uint32
	// Signed adds an empty TCP MD5 option (RFC 2385). A receiver without such a
	// key drops the segment and does not answer it: an RST would have connection
	// tracking forget it.
	Signed  bool
	Payload []byte
	// Fragments cuts the packet in two: as early as can be, if the addresses are
	// IPv4, and after all headers, which RFC 7112 asks for, if they are IPv6.
	Fragments bool
	// Atomic makes the packet the only fragment of itself (RFC 6946), if the
	// addresses are IPv6.
	Atomic bool
	// Via is the address that it is routed by, if not that of To.
	Via netip.Addr
	// Extended puts a header of destination options before that of TCP, if the
	// addresses are IPv6 (RFC 8200, section 4.6).
	Extended bool
}

// Send sends it from the network namespace of the calling thread.
func (s Segment) Send() error {
	via := s.To.Addr()
	if s.Via.IsValid() {
		via = s.Via
	}
	family, to := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Addr: via.As16()})
	if via.Is4() {
		family, to = unix.AF_INET, &unix.SockaddrInet4{Addr: via.As4()}
	}
	// Of IPPROTO_RAW the sender writes the IP header, too (raw(7), ipv6(7)).
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return fmt.Errorf("open a raw socket: %w", err)
	}
	defer unix.Close(fd)
	for _, packet := range s.packets() {
		if err := unix.Sendto(fd, packet, 0, to); err != nil {
			return fmt.Errorf("send a segment from %s to %s: %w", s.From, s.To, err)
		}
	}
	return nil
}

func (s Segment) packets() [][]byte {
	next, data := byte(unix.IPPROTO_TCP), s.tcp()
	if s.Extended && s.To.Addr().Is6() {
		// One option, PadN of 4 bytes.
		next, data = unix.IPPROTO_DSTOPTS, append([]byte{unix.IPPROTO_TCP, 0, 1, 4, 0, 0, 0, 0}, data...)
	}
	switch {
	case s.Atomic && s.To.Addr().Is6():
		return [][]byte{s.packet(next, data, &fragment{})}
	case !s.Fragments:
		return [][]byte{s.packet(next, data, nil)}
	}
	cut := min(s.cut(), len(data)/8*8)
	return [][]byte{
		s.packet(next, data[:cut], &fragment{more: true}),
		s.packet(next, data[cut:], &fragment{offset: uint16(cut)}),
	}
}

// cut is where the first fragment ends, in units of 8 bytes.
func (s Segment) cut() int {
	switch {
	case s.To.Addr().Is4():
		return 8
	case s.Extended:
		return 32
	}
	return 24
}

// tcp returns header and payload (RFC 9293, section 3.1).
func (s Segment) tcp() []byte {
	header := make([]byte, 20)
	if s.Signed {
		const kind, size, noOperation = 19, 18, 1
		option := make([]byte, 20)
		option[0], option[1], option[18], option[19] = kind, size, noOperation, noOperation
		header = append(header, option...)
	}
	binary.BigEndian.PutUint16(header[0:], s.From.Port())
	binary.BigEndian.PutUint16(header[2:], s.To.Port())
	binary.BigEndian.PutUint32(header[4:], s.Sequence)
	binary.BigEndian.PutUint32(header[8:], s.Acknowledgment)
	header[12], header[13] = byte(len(header)/4)<<4, s.Flags
	binary.BigEndian.PutUint16(header[14:], 65535) // window
	data := append(header, s.Payload...)
	from, to := s.From.Addr().AsSlice(), s.To.Addr().AsSlice()
	pseudo := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	pseudo = binary.BigEndian.AppendUint32(pseudo, unix.IPPROTO_TCP)
	binary.BigEndian.PutUint16(data[16:], checksum(slices.Concat(from, to, pseudo, data)))
	return data
}

// checksum is the Internet's (RFC 1071).
func checksum(data []byte) uint16 {
	var sum uint32
	for pair := range slices.Chunk(data, 2) {
		sum += uint32(pair[0]) << 8
		if len(pair) == 2 {
			sum += uint32(pair[1])
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
