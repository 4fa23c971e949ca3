package segment

import (
	"net/netip"
	"slices"
)

// Kind is a segment and what it is called.
type Kind struct {
	Name string
	Segment
}

// Between returns the segment as one between two ports.
func (k Kind) Between(from, to netip.AddrPort) Segment {
	s := k.Segment
	s.From, s.To = from, to
	return s
}

// Unsolicited returns segments that open no connection. Sent before the SYN of one,
// they may mislead what tracks connections, or get to what listens.
func Unsolicited() []Kind {
	return slices.Clone(unsolicited)
}

var unsolicited = []Kind{
	{"ACK", Segment{Flags: ACK}},
	{"ACK that gets no answer", Segment{Flags: ACK, Signed: true}},
	{"ACK out of any window", Segment{Flags: ACK, Signed: true, Sequence: 1 << 31, Acknowledgment: 1<<31 + 1}},
	{"ACK in fragments", Segment{Flags: ACK, Signed: true, Fragments: true}},
	{"ACK after another header", Segment{Flags: ACK, Signed: true, Extended: true}},
	{"ACK in a fragment of its own", Segment{Flags: ACK, Signed: true, Atomic: true}},
	{"data", Segment{Flags: PSH | ACK, Signed: true, Payload: []byte("GET / HTTP/1.0\r\n\r\n")}},
	{"data in fragments", Segment{Flags: PSH | ACK, Payload: make([]byte, 100), Fragments: true}},
	{"urgent data", Segment{Flags: URG | ACK, Signed: true, Payload: []byte("!")}},
	{"SYN-ACK", Segment{Flags: SYN | ACK}},
	{"SYN-ACK that gets no answer", Segment{Flags: SYN | ACK, Signed: true}},
	{"FIN", Segment{Flags: FIN, Signed: true}},
	{"FIN-ACK", Segment{Flags: FIN | ACK, Signed: true}},
	{"RST", Segment{Flags: RST}},
	{"RST-ACK", Segment{Flags: RST | ACK, Signed: true}},
	{"SYN-FIN", Segment{Flags: SYN | FIN, Signed: true}},
	{"SYN-RST", Segment{Flags: SYN | RST, Signed: true}},
	{"no flags", Segment{Signed: true}},
	{"all flags", Segment{Flags: FIN | SYN | RST | PSH | ACK | URG, Signed: true}},
}

// Openings returns segments that open a connection, in one way or another.
func Openings() []Kind {
	return slices.Clone(openings)
}

var openings = []Kind{
	{"SYN that gets no answer", Segment{Flags: SYN, Signed: true}},
	{"SYN with data", Segment{Flags: SYN, Signed: true, Payload: []byte("!")}},
	{"urgent SYN", Segment{Flags: SYN | URG, Signed: true}},
	{"SYN in fragments", Segment{Flags: SYN, Signed: true, Fragments: true}},
	{"SYN in a fragment of its own", Segment{Flags: SYN, Signed: true, Atomic: true}},
	{"SYN after another header", Segment{Flags: SYN, Signed: true, Extended: true}},
}
