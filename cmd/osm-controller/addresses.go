package main

import (
	"context"
	"log/slog"
	"net/netip"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/osm-edge/osm/sds/destination"
)

const (
	// What is said of rejected addresses at once, and each second after that: a
	// node decides how many there are.
	addressEventsAtOnce    = 20
	addressEventsPerSecond = 0.1
)

// addresses says in Events and in the log which addresses of pods do not count.
type addresses struct {
	rejected chan destination.Rejection
	leftOut  chan int // how many were left out; one slot
	events   *events
	logger   *slog.Logger
}

func newAddresses(x *destination.Index, events *events, logger *slog.Logger) *addresses {
	a := &addresses{rejected: make(chan destination.Rejection, addressEventsAtOnce), leftOut: make(chan int, 1), events: events, logger: logger}
	x.OnRejection(a.take)
	return a
}

// take hands on a rejection, or counts it where there are too many.
func (a *addresses) take(r destination.Rejection) {
	select {
	case a.rejected <- r:
		return
	default:
	}
	n := 0
	select {
	case n = <-a.leftOut:
	default:
	}
	select {
	case a.leftOut <- n + 1:
	default:
	}
}

// Run writes until ctx ends.
func (a *addresses) Run(ctx context.Context) error {
	limiter := rate.NewLimiter(addressEventsPerSecond, addressEventsAtOnce)
	for {
		select {
		case <-ctx.Done():
			return nil
		case n := <-a.leftOut:
			a.logger.Warn("addresses of pods do not count, more than are logged; see the metric osm_destination_rejected_addresses", "left_out", n)
		case r := <-a.rejected:
			a.logger.Warn("an address of a pod does not count", "pod", r.Pod.String(), "node", r.Node, "address", r.Address, "reason", string(r.Reason), "detail", r.String())
			a.events.write(ctx, happening{
				action: "FollowAddresses", reason: "AddressRejected", warning: true, note: r.String(),
				related: &corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: r.Pod.Namespace, Name: r.Pod.Name, UID: r.UID},
			})
		}
		if limiter.Wait(ctx) != nil {
			return nil // told to end
		}
	}
}

// followRanges finds out whether the network gives out addresses of the nodes'
// podCIDRs: networks with an address management of their own do not, though the
// API server may have given each node a range. What shows it are the pods of the
// mesh and of the cluster's own namespace, on most of their nodes: one node alone
// does not decide it for the others. Where that cannot be found out, the ranges
// count.
func followRanges(ctx context.Context, o *options, client kubernetes.Interface, nodes cache.Indexer, x *destination.Index, logger *slog.Logger) {
	if o.ignorePodCIDRs {
		x.IgnoreRanges()
		return
	}
	ctx, cancel := context.WithTimeout(ctx, eventTimeout)
	defer cancel()
	outside := map[string]bool{} // by node
	for _, namespace := range []string{o.Namespace, metav1.NamespaceSystem} {
		pods, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			logger.Warn("cannot list the pods of a namespace; addresses outside of the podCIDRs of their node do not count", "namespace", namespace, "error", err)
			return
		}
		for _, pod := range pods.Items {
			object, _, err := nodes.GetByKey(pod.Spec.NodeName)
			node, ok := object.(*corev1.Node)
			if err != nil || !ok || pod.Spec.HostNetwork || len(pod.Status.PodIPs) == 0 {
				continue // it tells nothing
			}
			outside[node.Name] = outside[node.Name] || !rangesUsed(&pod, node)
		}
	}
	if 2*countTrue(outside) > len(outside) {
		x.IgnoreRanges()
		logger.Info("the podCIDRs of nodes are not used by this network, so addresses are not held to them", "nodes", len(outside))
	}
}

func countTrue(all map[string]bool) (n int) {
	for _, is := range all {
		if is {
			n++
		}
	}
	return n
}

// rangesUsed reports whether the pod's addresses are of the node's podCIDRs, as
// far as it has any.
func rangesUsed(pod *corev1.Pod, node *corev1.Node) bool {
	for _, ip := range pod.Status.PodIPs {
		if address, err := netip.ParseAddr(ip.IP); err == nil && !destination.Within(node.Spec.PodCIDRs, address) {
			return false
		}
	}
	return true
}
