package destination

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// SetNode takes a Node as it is now: the ranges that its pods have addresses of,
// where it says any.
func (x *Index) SetNode(n *corev1.Node) {
	x.setNode(n.Name, parse(n.Spec.PodCIDRs))
}

func parse(cidrs []string) (ranges []netip.Prefix) {
	for _, cidr := range cidrs {
		if prefix, err := netip.ParsePrefix(cidr); err == nil {
			ranges = append(ranges, prefix.Masked())
		}
	}
	return ranges
}

// Within reports whether an address may be of a node with these podCIDRs. Where
// there is none of the address's family, any may.
func Within(podCIDRs []string, address netip.Addr) bool {
	return within(parse(podCIDRs), address.Unmap())
}

func within(ranges []netip.Prefix, address netip.Addr) bool {
	known := false
	for _, prefix := range ranges {
		if prefix.Contains(address) {
			return true
		}
		known = known || prefix.Addr().Is4() == address.Is4()
	}
	return !known
}

// DeleteNode takes that a Node is gone. As long as pods of it are there, so are
// its ranges: the kubelet of a node that was taken over, and whose Node was deleted
// for that, still writes their addresses.
func (x *Index) DeleteNode(n *corev1.Node) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.hasPods(n.Name) {
		x.departed[n.Name] = struct{}{}
		return
	}
	x.setRanges(n.Name, nil)
}

// depart forgets the ranges of a node that is gone, once its last pod is.
func (x *Index) depart(node string) {
	if _, departed := x.departed[node]; departed && !x.hasPods(node) {
		x.setRanges(node, nil)
	}
}

func (x *Index) hasPods(node string) bool {
	for _, p := range x.pods {
		if p.node == node {
			return true
		}
	}
	return false
}

func (x *Index) setNode(node string, ranges []netip.Prefix) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.setRanges(node, ranges)
}

func (x *Index) setRanges(node string, ranges []netip.Prefix) {
	delete(x.departed, node)
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
