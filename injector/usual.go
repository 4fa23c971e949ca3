package injector

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// usual is how much of a resource a sidecar has where nothing else is set. It is
// measured: docs/guide.md has the figures, and what they are good for.
type usual struct {
	name corev1.ResourceName
	// request covers a sidecar with little to do.
	request resource.Quantity
	// steady is what it can work with and have no more of. It is both request and
	// limit in Guaranteed pods, and the smallest limit in others.
	steady resource.Quantity
	// limit is the largest limit.
	limit resource.Quantity
	// guaranteed is set in Guaranteed pods, where a request is to be the limit.
	// asked is set where the pod itself asks for the request beside a limit.
	guaranteed, asked bool
}

// usualResources are in the order of sidecarResources.
func usualResources() [3]usual {
	return [...]usual{
		{name: corev1.ResourceCPU, request: resource.MustParse("10m"), steady: resource.MustParse("100m"), limit: resource.MustParse("500m")},
		{name: corev1.ResourceMemory, request: resource.MustParse("32Mi"), steady: resource.MustParse("128Mi"), limit: resource.MustParse("512Mi")},
		// What the kubelet keeps of a container's log counts: by default, 50Mi.
		{name: corev1.ResourceEphemeralStorage, request: resource.MustParse("16Mi"), steady: resource.MustParse("128Mi"), limit: resource.MustParse("128Mi")},
	}
}
