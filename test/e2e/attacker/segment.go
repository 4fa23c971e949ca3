package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/osm-edge/osm/test/segment"
)

var letters = map[rune]byte{'F': segment.FIN, 'S': segment.SYN, 'R': segment.RST, 'P': segment.PSH, 'A': segment.ACK}

// The port that a connection comes from is the attacker's choice.
const firstPort = 41000

// segmentFirst has conntrack see a segment of a connection before its SYN.
func segmentFirst(ctx context.Context, flags, target string) error {
	to, err := netip.ParseAddrPort(target)
	if err != nil {
		return err
	}
	own, err := ownAddress(to)
	if err != nil {
		return err
	}
	from := netip.AddrPortFrom(own, firstPort+to.Port()%1000+uint16(len(flags)))
	first := segment.Segment{From: from, To: to, Sequence: 1000, Acknowledgment: 2000, Signed: true}
	for _, letter := range flags {
		flag, ok := letters[letter]
		if !ok {
			return fmt.Errorf("there is no flag %q", letter)
		}
		first.Flags |= flag
	}
	if first.Flags&segment.PSH != 0 {
		first.Payload = []byte("GET / HTTP/1.0\r\n")
	}
	if err := first.Send(); err != nil {
		return err
	}
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(from), Timeout: timeout}
	conn, err := dialer.DialContext(ctx, "tcp", target)
	if err != nil {
		return err
	}
	defer conn.Close()
	return exchange(conn, []byte("GET / HTTP/1.0\r\n\r\n"))
}

// ownAddress is the one that the kernel would connect from.
func ownAddress(to netip.AddrPort) (netip.Addr, error) {
	conn, err := net.Dial("udp", to.String()) // which sends nothing
	if err != nil {
		return netip.Addr{}, err
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap(), nil
}
