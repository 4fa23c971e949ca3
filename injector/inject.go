package injector

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/json"
)

// Inject tells what becomes of a pod, given as JSON, that is about to be created
// in namespace; proxy is the id of its sidecar, a UUID, if it gets one, and ranges
// are the LimitRanges of the namespace, as far as they are known. The Patch of the Result says what changes, so fields that this package does not
// know stay. This is all that a Handler does with a pod, and needs no cluster.
func (c *Config) Inject(raw []byte, namespace *corev1.Namespace, proxy string, ranges ...*corev1.LimitRange) Result {
	if reason := outside(namespace, c); reason != "" {
		return skipped(reason) // the pod is not even read
	}
	pod, err := readPod(raw)
	if err != nil {
		return failed(badRequest, err)
	}
	result := c.inject(pod, surroundings{namespace, ranges}, proxy)
	result.Pod = podName(pod, namespace.Name)
	result.decoded = pod
	if result.Decision == Injected && lacksMetadata(pod, raw) {
		result.Patch = append([]operation{add("/metadata", struct{}{})}, result.Patch...)
	}
	return result
}

// surroundings are what a pod is about to be created in.
type surroundings struct {
	namespace *corev1.Namespace
	ranges    []*corev1.LimitRange
}

// inject decides about pod and, if it is to join the mesh, has it join.
func (c *Config) inject(pod *corev1.Pod, in surroundings, proxy string) Result {
	decision, err := decide(pod, in.namespace, c)
	if err != nil {
		return refused(badAnnotation, err)
	}
	if decision.inject && len(pod.Spec.Containers) == 0 {
		// The API server refuses it, and would not if it had a sidecar.
		return skipped(noContainers)
	}
	if !decision.inject {
		result := skipped(decision.reason)
		result.Warnings = skipWarnings(decision.reason)
		return result
	}
	result := c.join(pod, in, proxy)
	if result.Decision == Injected {
		result.Reason = decision.reason
	}
	return result
}

// lacksMetadata tells templates of pods without names and the like: to the
// patch, their metadata may be absent. What API servers send has it.
func lacksMetadata(pod *corev1.Pod, raw []byte) bool {
	if podName(pod, "") != "/*" || len(pod.Labels)+len(pod.Annotations) > 0 {
		return false
	}
	var object struct {
		Metadata *struct{} `json:"metadata"`
	}
	return json.Unmarshal(raw, &object) == nil && object.Metadata == nil
}
