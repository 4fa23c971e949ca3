package destination

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// endpoint is an address, and the pod that it is meant to be of, if that is said.
type endpoint struct {
	address netip.Addr
	pod     string
}

// place is an endpoint, as one namespace sees it.
type place struct {
	namespace string
	endpoint
}

// endpointsOf are the addresses of a pod, by its name and without. One that has
// ended has none, for others may get them, and those of the host's network are
// the node's.
func endpointsOf(pod *corev1.Pod) (all []endpoint) {
	if pod.Spec.HostNetwork || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return nil
	}
	for _, ip := range pod.Status.PodIPs {
		if address, err := netip.ParseAddr(ip.IP); err == nil {
			all = append(all, endpoint{address.Unmap(), ""}, endpoint{address.Unmap(), pod.Name})
		}
	}
	return all
}

func endpointsIn(s *discoveryv1.EndpointSlice) (all []endpoint) {
	for _, e := range s.Endpoints {
		pod := ""
		if e.TargetRef != nil && e.TargetRef.Kind == "Pod" {
			pod = e.TargetRef.Name
		}
		for _, ip := range e.Addresses {
			if address, err := netip.ParseAddr(ip); err == nil {
				all = append(all, endpoint{address.Unmap(), pod})
			}
		}
	}
	return all
}

// join and leave say who is at the endpoints of a namespace.
func join[T comparable](at map[place][]T, namespace string, endpoints []endpoint, who T) {
	for _, e := range endpoints {
		here := place{namespace, e}
		at[here] = append(at[here], who)
	}
}

func leave[T comparable](at map[place][]T, namespace string, endpoints []endpoint, who T) {
	for _, e := range endpoints {
		here := place{namespace, e}
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
