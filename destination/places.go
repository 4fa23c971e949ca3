package destination

import (
	"net/netip"
	"slices"
)

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

// join and leave say who is at the addresses of a namespace.
func join[T comparable](at map[place][]T, namespace string, addresses []netip.Addr, who T) {
	for _, address := range addresses {
		here := place{namespace, address}
		at[here] = append(at[here], who)
	}
}

func leave[T comparable](at map[place][]T, namespace string, addresses []netip.Addr, who T) {
	for _, address := range addresses {
		here := place{namespace, address}
		if at[here] = without(at[here], who); len(at[here]) == 0 {
			delete(at, here)
		}
	}
}

// without takes one out.
func without[T comparable](all []T, one T) []T {
	if i := slices.Index(all, one); i >= 0 {
		return slices.Delete(all, i, i+1)
	}
	return all
}
