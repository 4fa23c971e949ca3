package injector

import (
	"maps"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

// questionsWarning is for copies of injected pods. What the kubelet had asked
// the application is in the annotation that they lack.
const questionsWarning = "the pod is a copy of one with a sidecar: its probes and hooks that led through that sidecar were left out"

// strip returns pod, a copy of an injected one, without what injection had added
// to that, and the JSON Patch that takes it out.
func strip(pod *corev1.Pod) (bare *corev1.Pod, patch []operation, warnings []string) {
	bare = pod.DeepCopy()
	removeRewritten(bare)
	patch = slices.Concat(
		probesPatch("/spec/initContainers", pod.Spec.InitContainers, bare.Spec.InitContainers),
		probesPatch("/spec/containers", pod.Spec.Containers, bare.Spec.Containers))
	if len(patch) > 0 {
		warnings = []string{questionsWarning}
	}
	ours := func(c corev1.Container) bool { return isSidecar(c) || isOSMInit(c) }
	patch = slices.Concat(patch,
		removePatch("/spec/initContainers", bare.Spec.InitContainers, ours),
		removePatch("/spec/containers", bare.Spec.Containers, ours),
		removePatch("/spec/volumes", bare.Spec.Volumes, isIdentityVolume))
	bare.Spec.InitContainers = slices.DeleteFunc(bare.Spec.InitContainers, ours)
	bare.Spec.Containers = slices.DeleteFunc(bare.Spec.Containers, ours)
	bare.Spec.Volumes = slices.DeleteFunc(bare.Spec.Volumes, isIdentityVolume)
	// The patch of these is to set them anew.
	maps.DeleteFunc(bare.Labels, func(key, _ string) bool { return key == ProxyLabel })
	maps.DeleteFunc(bare.Annotations, func(key, _ string) bool { return key == BootstrapAnnotation })
	return bare, patch, warnings
}

// removePatch takes items out of a list, the last first: what is before it keeps
// its index.
func removePatch[T any](path string, items []T, out func(T) bool) []operation {
	var operations []operation
	for i, item := range slices.Backward(items) {
		if out(item) {
			operations = append(operations, operation{Operation: "remove", Path: path + "/" + strconv.Itoa(i)})
		}
	}
	return operations
}
