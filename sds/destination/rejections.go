package destination

import (
	"fmt"
	"maps"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
)

// Reason says why a pod's claim to an address does not count, as the label of a
// metric.
type Reason string

// The reasons for which a claim does not count.
const (
	// OfAnotherNode is for an address that a pod of another node had first.
	OfAnotherNode Reason = "of_another_node"
	// OutOfRange is for one outside of the node's podCIDRs.
	OutOfRange Reason = "out_of_range"
	// OfAService is for the cluster IP of a Service.
	OfAService Reason = "of_a_service"
)

// Rejection is a claim that does not count.
type Rejection struct {
	Pod     types.NamespacedName
	UID     types.UID
	Node    string
	Address netip.Addr
	Reason  Reason
	// Owner is the pod whose claim counts, for OfAnotherNode.
	Owner types.NamespacedName
}

// String says what happened, and what to look at.
func (r Rejection) String() string {
	claim := fmt.Sprintf("address %s of pod %s does not count, so callers do not get it:  ", r.Address, r.Pod)
	suspect := fmt.Sprintf("find out who writes the status of pods on node %s", r.Node)
	switch r.Reason {
	case OutOfRange:
		return claim + "it is outside of the podCIDRs of the pod's node; " + suspect +
			", or set osm.osmController.checkPodCIDRs to false if the network gives out addresses by other rules"
	case OfAService:
		return claim + "it is the cluster IP of a Service; " + suspect
	}
	return claim + fmt.Sprintf("pod %s of another node had it first; ", r.Owner) + suspect
}

// OnRejection has f called for each claim that comes not to count. It is called
// with the Index locked, and must not block.
func (x *Index) OnRejection(f func(Rejection)) { x.onRejection = f }

// doubt returns why a claim does not count, regardless of other claims.
func (x *Index) doubt(of name, address netip.Addr) Reason {
	switch {
	case len(x.servicesAt[address]) > 0:
		return OfAService
	case !x.rangesIgnored && !within(x.ranges[x.pods[of].node], address):
		return OutOfRange
	}
	return ""
}

// decide finds out which claims to the address do not count by now.
func (x *Index) decide(address netip.Addr) {
	if len(x.podsAt[address]) == 0 {
		delete(x.rejected, address)
		return
	}
	owner, found := x.owner(address)
	before, now := x.rejected[address], map[name]Reason{}
	for of := range x.podsAt[address] {
		reason := x.doubt(of, address)
		if reason == "" && x.pods[of].node != x.pods[owner].node {
			reason = OfAnotherNode
			x.again(address, x.pods[owner])
		}
		if reason == "" {
			continue
		}
		now[of] = reason
		if before[of] == reason || x.onRejection == nil {
			continue
		}
		r := Rejection{Pod: of, UID: x.pods[of].uid, Node: x.pods[of].node, Address: address, Reason: reason}
		if found && reason == OfAnotherNode {
			r.Owner = owner
		}
		x.onRejection(r)
	}
	if x.rejected[address] = now; len(now) == 0 {
		delete(x.rejected, address)
	}
}

// again has the address looked at when its owner should be gone.
func (x *Index) again(address netip.Addr, owner pod) {
	if owner.until == 0 || owner.overdue(time.Now()) {
		return
	}
	time.AfterFunc(time.Until(time.Unix(owner.until, 0).Add(leeway+time.Millisecond)), func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.changed(address)
	})
}

// rejections returns how many claims do not count, by reason.
func (x *Index) rejections() map[Reason]int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	n := map[Reason]int{OfAnotherNode: 0, OutOfRange: 0, OfAService: 0}
	for _, of := range x.rejected {
		for reason := range maps.Values(of) {
			n[reason]++
		}
	}
	return n
}

var rejectedDesc = prometheus.NewDesc("osm_destination_rejected_addresses",
	"Addresses in the status of pods that do not count, by reason.", []string{"reason"}, nil)

// Describe implements prometheus.Collector.
func (x *Index) Describe(to chan<- *prometheus.Desc) { to <- rejectedDesc }

// Collect implements prometheus.Collector.
func (x *Index) Collect(to chan<- prometheus.Metric) {
	for reason, n := range x.rejections() {
		to <- prometheus.MustNewConstMetric(rejectedDesc, prometheus.GaugeValue, float64(n), string(reason))
	}
}
