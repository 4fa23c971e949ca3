package injector

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	monitoredByLabel    = "openservicemesh.io/monitored-by"
	ignoreLabel         = "openservicemesh.io/ignore"
	injectionAnnotation = "openservicemesh.io/sidecar-injection"
)

// decision is whether a pod gets a sidecar, and why.
type decision struct {
	inject bool
	reason string
}

// decide tells whether pod, about to be created in namespace, gets a sidecar.
// An error is a refusal of the pod and says what to change.
func decide(pod *corev1.Pod, namespace *corev1.Namespace, config *Config) (decision, error) {
	if reason := untouched(pod, namespace, config); reason != "" {
		return decision{reason: reason}, nil
	}
	wanted, err := parseInjection(pod.Annotations)
	if err != nil {
		return decision{}, fmt.Errorf("pod %s: %w", podName(pod, namespace.Name), err)
	}
	offered, err := parseInjection(namespace.Annotations)
	if err != nil {
		return decision{}, fmt.Errorf("namespace %s: %w", namespace.Name, err)
	}
	switch {
	case wanted == yes:
		return decision{inject: true, reason: "the pod asks for it"}, nil
	case wanted == no:
		return decision{reason: "the pod declines it"}, nil
	case offered == no:
		return decision{reason: "the namespace declines it and the pod does not ask for it"}, nil
	}
	return decision{inject: true, reason: "the namespace is monitored"}, nil
}

// untouched returns why a pod is none of the mesh's business, or nothing. What
// the mesh has no business with is not refused either, whatever it says.
func untouched(pod *corev1.Pod, namespace *corev1.Namespace, config *Config) string {
	_, ignored := namespace.Labels[ignoreLabel]
	system := []string{metav1.NamespaceSystem, metav1.NamespacePublic, corev1.NamespaceNodeLease, config.settings.Namespace}
	switch {
	case slices.Contains(system, namespace.Name):
		return "the namespace belongs to Kubernetes or to the mesh itself"
	case ignored:
		return "the namespace is labelled to be ignored"
	case namespace.Labels[monitoredByLabel] != config.settings.MeshName:
		return "the namespace is not monitored by this mesh"
	case pod.Spec.HostNetwork:
		return "the pod uses the host's network"
	}
	return ""
}

// answer is what an object says about injection.
type answer int

const (
	silent answer = iota
	yes
	no
)

func parseInjection(annotations map[string]string) (answer, error) {
	value, set := annotations[injectionAnnotation]
	if !set {
		return silent, nil
	}
	switch strings.ToLower(value) {
	case "enabled", "yes", "true":
		return yes, nil
	case "disabled", "no", "false":
		return no, nil
	}
	return silent, fmt.Errorf(
		"annotation %s is %q: set it to enabled, yes or true for a sidecar, to disabled, no or false for none, or remove it",
		injectionAnnotation, value)
}

// podName names a pod whose name the API server may have yet to generate, and
// whose namespace may be only in the request.
func podName(pod *corev1.Pod, namespace string) string {
	if pod.Name == "" {
		return namespace + "/" + pod.GenerateName + "*"
	}
	return namespace + "/" + pod.Name
}
