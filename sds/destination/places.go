package destination

import "net/netip"

type set[T comparable] map[T]struct{}

// places says which objects have an address.
type places map[netip.Addr]set[name]

// move has an object leave some addresses and come to others.
func (p places) move(of name, from, to []netip.Addr) {
	for _, address := range from {
		if delete(p[address], of); len(p[address]) == 0 {
			delete(p, address)
		}
	}
	for _, address := range to {
		if p[address] == nil {
			p[address] = set[name]{}
		}
		p[address][of] = struct{}{}
	}
}
