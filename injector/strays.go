package injector

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// strays warns of annotations that look as if they were for the sidecar, but
// that nothing reads: misspelt ones, and those that belong on the other object.
// They are not refused, for they may be some other tool's.
func strays(pod *corev1.Pod, namespace *corev1.Namespace) []string {
	var warnings []string
	for key := range pod.Annotations {
		if meantForSidecar(key) && !readFromPod(key) {
			warnings = append(warnings, stray("pod", key, "namespace", readFromNamespace))
		}
	}
	for key := range namespace.Annotations {
		if meantForSidecar(key) && !readFromNamespace(key) {
			warnings = append(warnings, stray("namespace", key, "pod", readFromPod))
		}
	}
	slices.Sort(warnings)
	return warnings
}

func stray(object, key, other string, readFromOther func(string) bool) string {
	warning := "the " + object + "'s annotation " + key + " has no effect"
	if readFromOther(key) {
		return warning + ": set it on the " + other
	}
	return warning + ": there is none of this name"
}

// meantForSidecar knows the families of annotations that the package reads.
func meantForSidecar(key string) bool {
	name, ours := strings.CutPrefix(key, "openservicemesh.io/")
	return ours && (name == "metrics" || strings.HasPrefix(name, "sidecar-") ||
		strings.HasPrefix(name, "inbound-") || strings.HasPrefix(name, "outbound-") || strings.HasPrefix(name, "http-"))
}

func readFromPod(key string) bool {
	switch key {
	case injectionAnnotation, BootstrapAnnotation, inboundPortsAnnotation, outboundPortsAnnotation,
		excludedRangesAnnotation, includedRangesAnnotation, HTTPPortsAnnotation:
		return true
	}
	return ofResource(key)
}

func readFromNamespace(key string) bool {
	return key == injectionAnnotation || key == metricsAnnotation || ofResource(key)
}

func ofResource(key string) bool {
	is := func(a annotatedResource) bool { return a.key == key }
	limits, requests := limitAnnotations(), requestAnnotations()
	return slices.ContainsFunc(limits[:], is) || slices.ContainsFunc(requests[:], is)
}
