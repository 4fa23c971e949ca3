package nft

import (
	"net/netip"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// protocol is what differs between IPv4 and IPv6.
type protocol struct {
	number  byte // as meta nfproto has it
	address nftables.SetDatatype
	// destination is the offset of the destination address in the header
	// (RFC 791, section 3.1; RFC 8200, section 3).
	destination            uint32
	leftAlone, intercepted string
	// redirected is the address that the kernel leads a redirected connection
	// of the pod to.
	redirected netip.Addr
}

// protocols returns those that a table of the family sees.
func protocols(family nftables.TableFamily) []protocol {
	ps := []protocol{
		{unix.NFPROTO_IPV4, nftables.TypeIPAddr, 16, leftAloneIPv4, interceptedIPv4, netip.AddrFrom4([4]byte{127, 0, 0, 1})},
		{unix.NFPROTO_IPV6, nftables.TypeIP6Addr, 24, leftAloneIPv6, interceptedIPv6, netip.IPv6Loopback()},
	}
	if family == nftables.TableFamilyIPv4 {
		return ps[:1]
	}
	return ps
}

// only returns those of the ranges that are the protocol's.
func (p protocol) only(ranges []netip.Prefix) (own []netip.Prefix) {
	for _, r := range ranges {
		if r.Addr().BitLen() == int(p.address.Bytes)*8 {
			own = append(own, r)
		}
	}
	return own
}

func everywhere() []netip.Prefix {
	return []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}
}
