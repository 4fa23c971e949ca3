package injector

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// need completes the resources that are set for a sidecar, so that its pod is
// scheduled, scaled and admitted as it would be without it:
//
//   - There are requests. Where containers have none, a HorizontalPodAutoscaler
//     computes no utilisation, and a ResourceQuota on requests refuses the pod.
//   - There are limits of the resources that all of the pod's own containers have
//     limits of, and of no others. So a ResourceQuota on limits admits the pod, and
//     the sidecar of a pod without limits is held to none.
//   - In a Guaranteed pod, requests are limits.
//   - What is not set keeps within the LimitRanges of the namespace. The API server
//     applies their defaults to a pod before it calls webhooks, and again to what
//     these added: a default of a whole container would be the sidecar's.
//
// What the pod has as a whole (spec.resources) covers all of its containers
// together: of that, the sidecar has nothing of its own. What is set stays, but
// that in a Guaranteed pod requests are raised to the limits, unless the pod itself
// asks for both. A limit that is set without a request is the request, too.
func need(pod *corev1.Pod, chosen overrides, ranges []*corev1.LimitRange) (corev1.ResourceRequirements, []string) {
	var warnings []string
	needed := corev1.ResourceRequirements{Limits: corev1.ResourceList{}, Requests: corev1.ResourceList{}}
	guaranteed := isGuaranteed(pod)
	for _, u := range usualResources() {
		r := roomOf(u, ranges, taken(pod, u.name, chosen.placement))
		if ofWholePod(pod, u.name) {
			if r.defaulted && r.ratio == nil {
				// Without a word, the API server would take a default of a whole
				// container out of what the pod has. Where it wants a ratio, the
				// sidecar needs both defaults: it refuses a request of 0.
				needed.Requests[u.name] = r.within(resource.Quantity{})
			}
			continue
		}
		before := share{request: quantityOf(chosen.resources.Requests, u.name), limit: quantityOf(chosen.resources.Limits, u.name)}
		u.guaranteed = guaranteed && u.name != corev1.ResourceEphemeralStorage
		u.asked = before.limit != nil && quantityOf(chosen.podRequests, u.name) != nil
		after := before.complete(u, ownOf(pod, u.name), r)
		if after.request != nil {
			needed.Requests[u.name] = *after.request
		}
		if after.limit != nil {
			needed.Limits[u.name] = *after.limit
		}
		if warning := u.warning(before, after); warning != "" {
			warnings = append(warnings, warning)
		}
	}
	return needed, warnings
}

// share is what a sidecar has of one resource. What is nil is not set.
type share struct{ request, limit *resource.Quantity }

// complete sets what is not set.
func (s share) complete(u usual, own own, r room) share {
	limited := own.limited || r.max != nil || r.ratio != nil
	requested := u.name != corev1.ResourceEphemeralStorage || own.requested || limited || r.min != nil
	switch {
	case s.limit != nil && s.request != nil && u.guaranteed && !u.asked:
		return share{s.limit, s.limit}
	case s.limit != nil, s.request == nil && !requested:
		return s
	case u.guaranteed:
		amount := r.within(u.steady)
		if s.request != nil {
			amount = larger(amount, *s.request)
		}
		return share{&amount, &amount}
	case !limited && s.request != nil:
		return s
	}
	request := r.within(u.request)
	if s.request != nil {
		request = *s.request
	}
	if !limited {
		return share{&request, nil}
	}
	limit := r.within(smaller(u.limit, larger(u.steady, own.largest)))
	if r.ratio != nil {
		limit = smaller(limit, larger(r.most(request), r.within(u.steady)))
		if s.request == nil {
			request = larger(request, r.least(limit))
		}
		limit = smaller(limit, r.most(request))
	}
	limit = larger(limit, request)
	return share{&request, &limit}
}

// warning is what the creator of the pod is shown.
func (u usual) warning(before, after share) string {
	switch {
	case !u.guaranteed || before.request == nil || after.limit == nil:
		return ""
	case after.request.Cmp(*after.limit) != 0:
		return fmt.Sprintf("the pod was Guaranteed and becomes Burstable: its sidecar's request of %s %s is not its limit of %s: set both to the same amount",
			after.request, u.name, after.limit)
	case after.request.Cmp(*before.request) != 0:
		return fmt.Sprintf("the sidecar's request of %s %s is raised to %s, so that the pod stays Guaranteed: annotate it %s%s for another amount",
			before.request, u.name, after.request, limitAnnotation, u.name)
	}
	return ""
}

func quantityOf(list corev1.ResourceList, name corev1.ResourceName) *resource.Quantity {
	if quantity, set := list[name]; set {
		return &quantity
	}
	return nil
}
