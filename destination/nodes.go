package destination

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// SetNode takes a Node as it is now: the ranges that its pods have addresses of,
// where it says any.
func (x *Index) SetNode(n *corev1.Node) {
	var ranges []netip.Prefix
	for _, cidr := range n.Spec.PodCIDRs {
		if prefix, err := netip.ParsePrefix(cidr); err == nil {
			ranges = append(ranges, prefix.Masked())
		}
	}
	x.setNode(n.Name, ranges)
}

// DeleteNode takes that a Node is gone.
func (x *Index) DeleteNode(n *corev1.Node) { x.setNode(n.Name, nil) }

func (x *Index) setNode(node string, ranges []netip.Prefix) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if slices.Equal(x.ranges[node], ranges) {
		return
	}
	if x.ranges[node] = ranges; len(ranges) == 0 {
		delete(x.ranges, node)
	}
	var again []netip.Addr
	for _, p := range x.pods {
		if p.node == node {
			again = append(again, p.addresses...)
		}
	}
	x.changed(again...)
}

// IgnoreRanges has pods believed that have addresses outside of the ranges of
// their nodes. Networks that give out addresses by other rules than the API
// server's ranges need that.
func (x *Index) IgnoreRanges() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.rangesIgnored = true
	var again []netip.Addr
	for address := range x.podsAt {
		again = append(again, address)
	}
	x.changed(again...)
}

// within reports whether a node's pod may have the address. Where no range of
// the address's family is known, any may.
func (x *Index) within(node string, address netip.Addr) bool {
	if x.rangesIgnored {
		return true
	}
	known := false
	for _, prefix := range x.ranges[node] {
		if prefix.Contains(address) {
			return true
		}
		known = known || prefix.Addr().Is4() == address.Is4()
	}
	return !known
}
