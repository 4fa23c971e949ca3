package sidecar

import (
	"net"
	"net/netip"
	"testing"

	"github.com/osm-edge/osm/injector"
)

// acceptedAt is a connection that was accepted at the address.
type acceptedAt struct {
	net.Conn
	local string
}

// LocalAddr implements net.Conn.
func (a acceptedAt) LocalAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(a.local))
}

func TestOnlyWhatWasLedHereOnItsWayToThePodIsCarried(t *testing.T) {
	cases := []struct {
		name, local, original string
		in, out               bool
	}{
		{"to the pod", "10.0.0.1:15003", "10.0.0.1:8080", true, true},
		{"to the pod, IPv6", "[fd00::1]:15003", "[fd00::1]:8080", true, true},
		{"to the pod, IPv4 at a socket of IPv6", "[::ffff:10.0.0.1]:15003", "10.0.0.1:8080", true, true},
		{"not led here, as the kernel says", "10.0.0.1:15003", "10.0.0.1:15003", false, false},
		{"of which the kernel says nothing", "10.0.0.1:15003", "", false, false},
		{"to another pod, sent here", "10.0.0.1:15003", "10.0.0.9:8080", false, true},
		{"to loopback, sent here", "10.0.0.1:15003", "127.0.0.1:8080", false, true},
		{"to loopback, IPv6", "[fd00::1]:15003", "[::1]:8080", false, true},
		{"accepted at loopback", "127.0.0.1:15003", "127.0.0.1:8080", false, true},
		{"to the sidecar's admin port", "10.0.0.1:15003", "10.0.0.1:15000", false, true},
		{"to its outbound port", "10.0.0.1:15003", "10.0.0.1:15001", false, true},
		{"to a probe port", "10.0.0.1:15003", "10.0.0.1:15901", false, true},
		{"to another pod's port of that number", "127.0.0.1:15001", "10.0.0.9:15001", false, true},
		{"to the outbound listener", "127.0.0.1:15001", "127.0.0.1:15001", false, false},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			s := &Sidecar{options: Options{
				Bootstrap: injector.Bootstrap{Interception: injector.NFTables},
				OriginalDestination: func(net.Conn) (netip.AddrPort, bool) {
					original, err := netip.ParseAddrPort(tc.original)
					return original, err == nil
				},
			}.withDefaults()}
			if _, err := s.inboundDestination(acceptedAt{local: tc.local}); (err == nil) != tc.in {
				t.Errorf("in: %v", err)
			}
			if _, err := s.outboundDestination(acceptedAt{local: tc.local}); (err == nil) != tc.out {
				t.Errorf("out: %v", err)
			}
		})
	}
}
