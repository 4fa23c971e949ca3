package nft

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/google/nftables"
)

// interfaceNameSize is IFNAMSIZ of linux/if.h.
const interfaceNameSize = 16

func interfaces(name string, interfaces []string) set {
	s := set{name: name, key: nftables.TypeIFName}
	for _, i := range distinct(interfaces) {
		s.elements = append(s.elements, nftables.SetElement{Key: interfaceKey(i)})
	}
	return s
}

// interfaceKey pads a name as the kernel does, which compares all of it.
func interfaceKey(name string) []byte {
	key := make([]byte, interfaceNameSize)
	copy(key, name)
	return key
}

func ports(name string, ports []uint16) set {
	s := set{name: name, key: nftables.TypeInetService}
	for _, p := range distinct(ports) {
		s.elements = append(s.elements, nftables.SetElement{Key: binary.BigEndian.AppendUint16(nil, p)})
	}
	return s
}

func distinct[E cmp.Ordered](values []E) []E {
	return slices.Compact(slices.Sorted(slices.Values(values)))
}

// ranges makes a set of intervals. Each has a first element, and one after its
// last; an interval that lasts to the highest address has none after it.
func ranges(name string, address nftables.SetDatatype, ranges []netip.Prefix) set {
	s := set{name: name, key: address, interval: true}
	for _, i := range merge(ranges) {
		s.elements = append(s.elements, nftables.SetElement{Key: i.first.AsSlice()})
		if after := i.last.Next(); after.IsValid() {
			s.elements = append(s.elements, nftables.SetElement{Key: after.AsSlice(), IntervalEnd: true})
		}
	}
	return s
}

type interval struct{ first, last netip.Addr }

// merge returns the ranges, which are of one family, as intervals that neither
// overlap nor touch, in ascending order: the kernel refuses overlaps.
func merge(ranges []netip.Prefix) (merged []interval) {
	for _, r := range slices.SortedFunc(slices.Values(ranges), netip.Prefix.Compare) {
		next := interval{r.Addr(), lastOf(r)}
		if n := len(merged); n > 0 && merged[n-1].reaches(next.first) {
			if merged[n-1].last.Less(next.last) {
				merged[n-1].last = next.last
			}
			continue
		}
		merged = append(merged, next)
	}
	return merged
}

// reaches reports whether there is no address between i and one that follows.
func (i interval) reaches(address netip.Addr) bool {
	after := i.last.Next()
	return !after.IsValid() || address.Compare(after) <= 0
}

func lastOf(r netip.Prefix) netip.Addr {
	address := r.Addr().AsSlice()
	for bit := r.Bits(); bit < len(address)*8; bit++ {
		address[bit/8] |= 0x80 >> (bit % 8)
	}
	last, _ := netip.AddrFromSlice(address) // has the length of an address
	return last
}
