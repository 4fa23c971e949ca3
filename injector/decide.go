package injector

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/osm-edge/osm/manifests/mesh"
)

const (
	monitoredByLabel    = mesh.MonitoredByLabel
	ignoreLabel         = mesh.IgnoreLabel
	injectionAnnotation = mesh.InjectionAnnotation
)

// decision is whether a pod gets a sidecar, and why.
type decision struct {
	inject bool
	reason Reason
}

// decide tells whether pod, about to be created in namespace, gets a sidecar.
// An error is a refusal of the pod and says what to change. What the mesh has
// no business with is not refused, whatever it says.
func decide(pod *corev1.Pod, namespace *corev1.Namespace, config *Config) (decision, error) {
	if reason := outside(namespace, config); reason != "" {
		return decision{reason: reason}, nil
	}
	return ask(pod, namespace)
}

// Wanted reports whether a pod is to have a sidecar in a namespace of a mesh. An
// error says which annotation cannot be read.
func Wanted(pod *corev1.Pod, namespace *corev1.Namespace) (bool, error) {
	d, err := ask(pod, namespace)
	return d.inject, err
}

// ask decides by the pod and its namespace's annotation.
func ask(pod *corev1.Pod, namespace *corev1.Namespace) (decision, error) {
	asked, err := wish(pod, namespace)
	if reason := unfit(pod); reason != "" && (asked.inject || err != nil) {
		return decision{reason: reason}, nil
	}
	return asked, err
}

// wish decides by the annotations alone.
func wish(pod *corev1.Pod, namespace *corev1.Namespace) (decision, error) {
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
		return decision{inject: true, reason: podAsks}, nil
	case wanted == no:
		return decision{reason: podDeclines}, nil
	case offered == no:
		return decision{reason: namespaceDeclines}, nil
	}
	return decision{inject: true, reason: namespaceMonitored}, nil
}

// outside returns why a namespace is none of the mesh's business, or nothing.
func outside(namespace *corev1.Namespace, config *Config) Reason {
	system := []string{metav1.NamespaceSystem, metav1.NamespacePublic, corev1.NamespaceNodeLease, config.settings.Namespace}
	_, ignored := namespace.Labels[ignoreLabel]
	switch {
	case slices.Contains(system, namespace.Name):
		return systemNamespace
	case ignored:
		return namespaceIgnored
	case namespace.Labels[monitoredByLabel] != config.settings.MeshName:
		return namespaceNotMonitored
	}
	return ""
}

// unfit returns why no sidecar would work in a pod, or nothing.
func unfit(pod *corev1.Pod) Reason {
	_, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]
	switch {
	case pod.Spec.HostNetwork:
		return hostNetwork
	case pod.Spec.OS != nil && pod.Spec.OS.Name == corev1.Windows,
		pod.Spec.NodeSelector[corev1.LabelOSStable] == string(corev1.Windows):
		return windows
	case mirror:
		// It stands for a pod that runs already, from a file of its node.
		return mirrorPod
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
	switch on, ok := mesh.Switch(value); {
	case ok && on:
		return yes, nil
	case ok:
		return no, nil
	}
	return silent, fmt.Errorf(
		"annotation %s is %.64q: set it to enabled, yes or true for a sidecar, to disabled, no or false for none, or remove it",
		injectionAnnotation, value)
}

// podName names a pod whose name the API server may have yet to generate, and
// whose namespace may be only in the request.
func podName(pod *corev1.Pod, namespace string) string {
	if pod.Name == "" {
		return namespace + "/" + clip(pod.GenerateName) + "*"
	}
	return namespace + "/" + clip(pod.Name)
}

// clip cuts what is no name before it is written anywhere: no name of Kubernetes
// is longer (RFC 1123, subdomains).
func clip(name string) string {
	if len(name) <= validation.DNS1123SubdomainMaxLength {
		return name
	}
	return strings.ToValidUTF8(name[:validation.DNS1123SubdomainMaxLength], "") + "…"
}

// Decision is how an admission ended.
type Decision string

// The decisions.
const (
	Injected Decision = "injected" // the pod gets its sidecar
	Skipped  Decision = "skipped"  // the pod stays as it is
	Refused  Decision = "refused"  // the pod must change, or its namespace
	Failed   Decision = "failed"   // the fault is not the pod's
)

// Reason is why an admission ended as it did. There are few of them, so they
// can be values of a metric's label.
type Reason string

const (
	podAsks            Reason = "pod-asks"
	namespaceMonitored Reason = "namespace-monitored"

	systemNamespace       Reason = "system-namespace"
	namespaceIgnored      Reason = "namespace-ignored"
	namespaceNotMonitored Reason = "namespace-not-monitored"
	podDeclines           Reason = "pod-declines"
	namespaceDeclines     Reason = "namespace-declines"
	hostNetwork           Reason = "host-network"
	windows               Reason = "windows"
	mirrorPod             Reason = "mirror-pod"
	noContainers          Reason = "no-containers"
	alreadyInjected       Reason = "already-injected"
	notCreated            Reason = "not-created"

	badAnnotation Reason = "annotation"
	badIdentity   Reason = "identity"
	badProbe      Reason = "probe"
	conflict      Reason = "conflict"
	badPorts      Reason = "ports"

	badRequest       Reason = "bad-request"
	unknownNamespace Reason = "namespace-lookup"
	internal         Reason = "internal"
)

// reasons are those that each decision can have.
func reasons() map[Decision][]Reason {
	return map[Decision][]Reason{
		Injected: {podAsks, namespaceMonitored},
		Skipped: {
			systemNamespace, namespaceIgnored, namespaceNotMonitored, podDeclines, namespaceDeclines,
			hostNetwork, windows, mirrorPod, noContainers, alreadyInjected, notCreated,
		},
		Refused: {badAnnotation, badIdentity, badProbe, badPorts, conflict},
		Failed:  {badRequest, unknownNamespace, internal},
	}
}

// Explanation says what a refusal or failure is about, in words that are the same
// for every pod.
func (r Reason) Explanation() string {
	const refused, more = "A pod was refused: ", ". The answer to its creation names the field: see the Events FailedCreate of its owner."
	switch r {
	case badAnnotation:
		return refused + "an annotation of the pod or its namespace has a value that the mesh does not take" + more
	case badIdentity:
		return refused + "its service account cannot have a certificate of the mesh" + more
	case badProbe:
		return refused + "a probe or hook cannot be asked through the sidecar" + more
	case badPorts:
		return refused + "it declares more HTTP ports than a sidecar takes" + more
	case conflict:
		return refused + "it has a name, port, label, annotation or user that is the sidecar's" + more
	case unknownNamespace:
		return "looking up the pod's namespace failed"
	}
	return "the sidecar could not be added"
}
