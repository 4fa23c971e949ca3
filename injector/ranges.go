package injector

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

const (
	excludedRangesAnnotation = "openservicemesh.io/outbound-ip-range-exclusion-list"
	includedRangesAnnotation = "openservicemesh.io/outbound-ip-range-inclusion-list"
)

// ParseRanges reads a comma-separated list of IPv4 and IPv6 ranges in CIDR
// notation, such as "10.0.0.0/8, fd00::/8". It returns them in order and in
// their canonical form, without those that lie within others. An empty list has
// none. The error names the entry that is not a range, and what to write.
func ParseRanges(list string) ([]netip.Prefix, error) {
	split, err := entries(list)
	if err != nil {
		return nil, err
	}
	var ranges []netip.Prefix
	for _, entry := range split {
		r, err := parseRange(entry)
		if err != nil {
			return nil, err
		}
		ranges = append(ranges, r)
	}
	return unionOfRanges(ranges), nil
}

func parseRange(entry string) (netip.Prefix, error) {
	if r, err := netip.ParsePrefix(entry); err == nil {
		return canonicalRange(r)
	}
	// A zone may hold anything, even what was meant for a length.
	if addr, err := netip.ParseAddr(entry); err == nil && !strings.Contains(addr.Zone(), "/") {
		addr = addr.Unmap().WithZone("")
		return netip.Prefix{}, fmt.Errorf("%.64q is an address, not a range: write %s/%d for this address alone",
			entry, addr, addr.BitLen())
	}
	return netip.Prefix{}, fmt.Errorf("%.64q is not a range: want CIDR notation with commas between ranges, such as 10.0.0.0/8,fd00::/8", entry)
}

// canonicalRange has no bits set beyond its length. IPv4 that is written as
// IPv6 (RFC 4291, section 2.5.5.2) becomes what it is on the wire, where it
// would match nothing otherwise.
func canonicalRange(r netip.Prefix) (netip.Prefix, error) {
	const mapped = 96
	switch {
	case !r.IsValid():
		return netip.Prefix{}, fmt.Errorf("%s is not a range: want one such as 10.0.0.0/8", r)
	case r.Addr().Is4In6() && r.Bits() < mapped:
		return netip.Prefix{}, fmt.Errorf("%s is an IPv4 address with an IPv6 length: write an IPv4 range, such as 10.0.0.0/8", r)
	case r.Addr().Is4In6():
		r = netip.PrefixFrom(r.Addr().Unmap(), r.Bits()-mapped)
	}
	return r.Masked(), nil
}

// unionOfRanges are the canonical ranges of all lists in order, without those
// that lie within others: nothing is gained by them, and the kernel takes no
// overlaps in a set of intervals.
func unionOfRanges(lists ...[]netip.Prefix) []netip.Prefix {
	all := slices.Concat(lists...)
	// A range comes right before those that lie within it.
	slices.SortFunc(all, netip.Prefix.Compare)
	var last netip.Prefix
	return slices.DeleteFunc(all, func(r netip.Prefix) bool {
		if last.Overlaps(r) {
			return true
		}
		last = r
		return false
	})
}

// annotatedRanges adds the ranges of an annotation to the mesh-wide ones.
func annotatedRanges(annotations map[string]string, key string, meshWide []netip.Prefix) ([]netip.Prefix, error) {
	ranges, err := ParseRanges(annotations[key])
	switch {
	case err != nil:
		return nil, fmt.Errorf("annotation %s: %w", key, err)
	case len(ranges) == 0:
		return meshWide, nil
	}
	return unionOfRanges(meshWide, ranges), nil
}
