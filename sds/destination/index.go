package destination

import (
	"net/netip"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/osm-edge/osm/issuer/identity"
)

type name = types.NamespacedName

// Index answers who is where. It is safe for concurrent use.
type Index struct {
	trustDomain string

	mu       sync.RWMutex
	pods     map[name]pod
	services map[name][]netip.Addr // cluster IPs
	slices   map[name]slice

	podsAt     claims             // pods by the addresses that they claim
	servicesAt places             // Services by their cluster IPs
	slicesAt   places             // EndpointSlices by the addresses in them
	slicesOf   map[name]set[name] // EndpointSlices by their Services

	order         uint64                    // claims so far
	ranges        map[string][]netip.Prefix // of nodes
	departed      set[string]               // nodes that are gone, and pods of them not
	rangesIgnored bool
	rejected      map[netip.Addr]map[name]Reason // claims that do not count
	onRejection   func(Rejection)

	watched map[netip.Addr]*watched
}

type slice struct {
	service   name
	addresses []netip.Addr
}

// watched is an address that is watched: the answer of now, which is
// replaced and never changed, and who is told when it is.
type watched struct {
	identities []identity.Identity
	by         set[chan<- struct{}]
}

// NewIndex returns an empty Index of a trust domain.
func NewIndex(trustDomain string) *Index {
	return &Index{
		trustDomain: trustDomain,
		pods:        map[name]pod{},
		services:    map[name][]netip.Addr{},
		slices:      map[name]slice{},
		podsAt:      claims{},
		servicesAt:  places{},
		slicesAt:    places{},
		slicesOf:    map[name]set[name]{},
		ranges:      map[string][]netip.Prefix{},
		departed:    set[string]{},
		rejected:    map[netip.Addr]map[name]Reason{},
		watched:     map[netip.Addr]*watched{},
	}
}

// At returns, in order, who may answer at the address now. The result is not to
// be changed.
func (x *Index) At(address netip.Addr) []identity.Identity {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if w, ok := x.watched[address]; ok {
		return w.identities
	}
	return x.compute(address)
}

// Watch has the channel, which needs room for one, hold something whenever the
// answer for the address has changed.
func (x *Index) Watch(address netip.Addr, changed chan<- struct{}) {
	x.mu.Lock()
	defer x.mu.Unlock()
	w, ok := x.watched[address]
	if !ok {
		w = &watched{identities: x.compute(address), by: set[chan<- struct{}]{}}
		x.watched[address] = w
	}
	w.by[changed] = struct{}{}
}

// Unwatch undoes Watch.
func (x *Index) Unwatch(address netip.Addr, changed chan<- struct{}) {
	x.mu.Lock()
	defer x.mu.Unlock()
	w, ok := x.watched[address]
	if !ok {
		return
	}
	if delete(w.by, changed); len(w.by) == 0 {
		delete(x.watched, address)
	}
}

// compute asks the pod that has the address, and those whose addresses are in
// the EndpointSlices of the Service that has it.
func (x *Index) compute(address netip.Addr) []identity.Identity {
	found := set[identity.Identity]{}
	x.gather(address, found)
	for service := range x.servicesAt[address] {
		for s := range x.slicesOf[service] {
			for _, endpoint := range x.slices[s].addresses {
				x.gather(endpoint, found)
			}
		}
	}
	var identities []identity.Identity
	for id := range found {
		identities = append(identities, id)
	}
	slices.SortFunc(identities, func(a, b identity.Identity) int { return strings.Compare(a.String(), b.String()) })
	return identities
}

func (x *Index) gather(address netip.Addr, into set[identity.Identity]) {
	if p, found := x.owner(address); found {
		into[x.pods[p].identity] = struct{}{}
	}
}

// changed decides again on the claims to the addresses, and looks again at what
// is watched of them, and of the cluster IPs that lead to them.
func (x *Index) changed(addresses ...netip.Addr) {
	again := set[netip.Addr]{}
	for _, address := range addresses {
		again[address] = struct{}{}
		x.decide(address)
		for s := range x.slicesAt[address] {
			for _, ip := range x.services[x.slices[s].service] {
				again[ip] = struct{}{}
			}
		}
	}
	for address := range again {
		if w, ok := x.watched[address]; ok {
			w.update(x.compute(address))
		}
	}
}

func (w *watched) update(identities []identity.Identity) {
	if slices.Equal(w.identities, identities) {
		return
	}
	w.identities = identities
	for changed := range w.by {
		tell(changed)
	}
}

// tell has the channel hold something.
func tell(changed chan<- struct{}) {
	select {
	case changed <- struct{}{}:
	default: // it will be looked at anyhow
	}
}
