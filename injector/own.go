package injector

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// own is what a pod's own containers have of a resource.
type own struct {
	// requested and limited are set if all of them have a request or a limit.
	requested, limited bool
	// largest is the largest of their limits.
	largest resource.Quantity
}

func ownOf(pod *corev1.Pod, name corev1.ResourceName) own {
	of := own{requested: true, limited: true}
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		limit, limited := container.Resources.Limits[name]
		_, requested := container.Resources.Requests[name]
		// A limit without a request is the request, too (Kubernetes, "Resource
		// Management for Pods and Containers").
		of.requested = of.requested && (requested || limited)
		of.limited = of.limited && limited
		of.largest = larger(of.largest, limit)
	}
	return of
}

// ofWholePod reports whether a pod has a resource as a whole (KEP-2837), which
// covers all of its containers.
func ofWholePod(pod *corev1.Pod, name corev1.ResourceName) bool {
	whole := pod.Spec.Resources
	return whole != nil && (quantityOf(whole.Limits, name) != nil || quantityOf(whole.Requests, name) != nil)
}

// isGuaranteed reports whether the containers of a pod make its QoS class that one
// (Kubernetes 1.37, ComputePodQOS in pkg/apis/core/helper/qos). Where a pod has
// resources as a whole, containers do not count.
func isGuaranteed(pod *corev1.Pod) bool {
	if whole := pod.Spec.Resources; whole != nil && len(whole.Limits)+len(whole.Requests) > 0 {
		return false
	}
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			limit := container.Resources.Limits[name]
			request, requested := container.Resources.Requests[name]
			if limit.Sign() <= 0 || requested && request.Cmp(limit) != 0 {
				return false
			}
		}
	}
	return true
}
