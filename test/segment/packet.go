package segment

import (
	"encoding/binary"
	"slices"

	"golang.org/x/sys/unix"
)

// fragment is a part of a packet. All packets that are cut have the same
// identification: a receiver has put one together before the next comes.
type fragment struct {
	offset uint16 // in bytes
	more   bool
}

const (
	identification = 1
	hops           = 64
)

// packet puts an IP header before data, and says what comes next.
func (s Segment) packet(next byte, data []byte, f *fragment) []byte {
	if s.To.Addr().Is4() {
		return s.ipv4(next, data, f)
	}
	return s.ipv6(next, data, f)
}

// ipv4 leaves the checksum to the kernel (RFC 791, section 3.1).
func (s Segment) ipv4(next byte, data []byte, f *fragment) []byte {
	header := make([]byte, 20)
	header[0], header[8], header[9] = 4<<4|5, hops, next
	binary.BigEndian.PutUint16(header[2:], uint16(len(header)+len(data)))
	if f != nil {
		binary.BigEndian.PutUint16(header[4:], identification)
		part := f.offset / 8
		if f.more {
			part |= 1 << 13
		}
		binary.BigEndian.PutUint16(header[6:], part)
	}
	copy(header[12:], s.From.Addr().AsSlice())
	copy(header[16:], s.To.Addr().AsSlice())
	return append(header, data...)
}

// ipv6 is RFC 8200, sections 3 and 4.5.
func (s Segment) ipv6(next byte, data []byte, f *fragment) []byte {
	header := make([]byte, 40)
	header[0], header[6], header[7] = 6<<4, next, hops
	if f != nil {
		part := f.offset // its unit of 8 bytes is above the three bits of flags
		if f.more {
			part |= 1
		}
		extension := binary.BigEndian.AppendUint16([]byte{next, 0}, part)
		data = slices.Concat(binary.BigEndian.AppendUint32(extension, identification), data)
		header[6] = unix.IPPROTO_FRAGMENT
	}
	binary.BigEndian.PutUint16(header[4:], uint16(len(data)))
	copy(header[8:], s.From.Addr().AsSlice())
	copy(header[24:], s.To.Addr().AsSlice())
	return append(header, data...)
}
