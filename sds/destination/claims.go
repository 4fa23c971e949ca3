package destination

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/osm-edge/osm/issuer/identity"
)

// leeway is how long after its deletionTimestamp a pod may still be there.
const leeway = 10 * time.Second

// pod is what counts of a Pod. Its node writes the addresses, and decides on
// nothing else here.
type pod struct {
	identity  identity.Identity
	addresses []netip.Addr
	uid       types.UID
	node      string
	created   int64 // Unix seconds
	until     int64 // Unix seconds when its grace ends, 0 while it is not deleted
}

// claims are the pods that claim to have an address.
type claims map[netip.Addr]map[name]since

// since is the place of a claim in the order in which they were seen, and that
// of its node's claim: 0 for what was there at first.
type since struct{ pod, node uint64 }

func (c claims) add(address netip.Addr, of name, s since) {
	if c[address] == nil {
		c[address] = map[name]since{}
	}
	c[address][of] = s
}

func (c claims) remove(address netip.Addr, of name) {
	if delete(c[address], of); len(c[address]) == 0 {
		delete(c, address)
	}
}

// claim has the pod claim its addresses. An address that another pod of the node
// has already is the node's since then: a node may give it on.
func (x *Index) claim(of name, initial bool) {
	if !initial {
		x.order++
	}
	p := x.pods[of]
	for _, address := range p.addresses {
		if _, known := x.podsAt[address][of]; known {
			continue
		}
		s := since{x.order, x.order}
		if initial {
			s = since{}
		}
		for other, its := range x.podsAt[address] {
			if x.pods[other].node == p.node {
				s.node = min(s.node, its.node)
			}
		}
		x.podsAt.add(address, of, s)
	}
}

// owner returns the pod whose claim to the address counts: of the node that had
// it first, the newest pod. What was there at first is in the order of creation,
// so that replicas agree. None counts where no claim is believed.
func (x *Index) owner(address netip.Addr) (owner name, found bool) {
	now, oldest := time.Now(), x.oldest(address)
	for of := range x.podsAt[address] {
		if x.doubt(of, address) != "" {
			continue
		}
		if !found || x.before(of, owner, address, oldest, now) {
			owner, found = of, true
		}
	}
	return owner, found
}

// before reports whether a's claim to the address takes precedence over b's. The
// names only decide where nothing else does. oldest is that of the address.
func (x *Index) before(a, b name, address netip.Addr, oldest map[string]int64, now time.Time) bool {
	p, q := x.pods[a], x.pods[b]
	if p.overdue(now) != q.overdue(now) {
		return q.overdue(now)
	}
	s, t := x.podsAt[address][a], x.podsAt[address][b]
	if p.node == q.node {
		return cmp.Or(cmp.Compare(q.created, p.created), cmp.Compare(s.pod, t.pod), cmp.Compare(a.String(), b.String())) < 0
	}
	return cmp.Or(cmp.Compare(s.node, t.node), cmp.Compare(oldest[p.node], oldest[q.node]), cmp.Compare(p.node, q.node)) < 0
}

// oldest is when the oldest pod was created that claims the address, by node. The
// API server writes that, and not the node.
func (x *Index) oldest(address netip.Addr) map[string]int64 {
	first := map[string]int64{}
	for of := range x.podsAt[address] {
		p := x.pods[of]
		if created, known := first[p.node]; !known || p.created < created {
			first[p.node] = p.created
		}
	}
	return first
}

func (p pod) equal(q pod) bool {
	return p.identity == q.identity && p.uid == q.uid && p.node == q.node && p.created == q.created && p.until == q.until &&
		slices.Equal(p.addresses, q.addresses)
}

// overdue reports whether the pod should be gone by now, as one is not whose
// node has failed.
func (p pod) overdue(now time.Time) bool {
	return p.until != 0 && now.After(time.Unix(p.until, 0).Add(leeway))
}
