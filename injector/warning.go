package injector

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/manifests/mesh"
)

// maxWarningBytes is what API servers show of all warnings about an object.
const maxWarningBytes = 4096

// podSecurityLabel says which Pod Security Standard a namespace enforces.
const podSecurityLabel = "pod-security.kubernetes.io/enforce"

// skipWarnings are for pods that would be injected if they could be.
func skipWarnings(reason Reason) []string {
	switch reason {
	case hostNetwork:
		return []string{"the pod uses the host's network, so it gets no sidecar and is not part of the mesh: annotate it " + injectionAnnotation + "=disabled if that is meant"}
	case windows:
		return []string{"the pod is for Windows, for which there is no sidecar, so it is not part of the mesh: annotate it " + injectionAnnotation + "=disabled if that is meant"}
	}
	return nil
}

// warnings are for pods that are injected.
func (c *Config) warnings(pod *corev1.Pod, namespace *corev1.Namespace) []string {
	var warnings []string
	standard := namespace.Labels[podSecurityLabel]
	if c.settings.Interception == NFTables && (standard == "baseline" || standard == "restricted") {
		warnings = append(warnings, fmt.Sprintf(
			"namespace %s enforces Pod Security %s, but %s needs capability NET_ADMIN and user 0: set osm.injector.interception=none or label it %s=privileged",
			namespace.Name, standard, mesh.InitContainer, podSecurityLabel))
	}
	if c.settings.Placement == Container && ends(pod) {
		warnings = append(warnings, fmt.Sprintf(
			"the pod is to end, but its sidecar goes on: have the application end with POST http://127.0.0.1:%d/quit, or set osm.injector.sidecarPlacement=native", adminPort))
	}
	if secrets := c.settings.ImagePullSecrets; len(secrets) > 0 && !pullsWith(pod, secrets) {
		warnings = append(warnings, fmt.Sprintf(
			"the sidecar's image is pulled with Secret %.64s, which the pod does not name: add it to imagePullSecrets of the pod or its service account, and copy the Secret to namespace %s",
			secrets[0], namespace.Name))
	}
	return warnings
}

// versionWarnings are for a pod that comes with its sidecar, as one from a backup
// does: osm-controller publishes the scripts of its own version only.
func (c *Config) versionWarnings(pod *corev1.Pod) []string {
	has, current := scriptsOf(pod.Spec.Volumes), scriptsOf([]corev1.Volume{c.volume})
	if has == current {
		return nil
	}
	return []string{fmt.Sprintf("the pod comes with the sidecar of another version of the mesh, and waits for ConfigMap %s where that is not: create it without what injection adds", clip(has))}
}

// pullsWith reports whether a pod names one of the Secrets. The API server has
// added those of its service account before it calls webhooks.
func pullsWith(pod *corev1.Pod, secrets []string) bool {
	return slices.ContainsFunc(pod.Spec.ImagePullSecrets, func(of corev1.LocalObjectReference) bool { return slices.Contains(secrets, of.Name) })
}

// ends tells whether pod is done once its containers are, as those of Jobs.
func ends(pod *corev1.Pod) bool {
	return pod.Spec.RestartPolicy != "" && pod.Spec.RestartPolicy != corev1.RestartPolicyAlways
}

// shown are those warnings that reach who creates the pod.
func shown(warnings []string) []string {
	total := 0
	for i, warning := range warnings {
		if total += len(warning); total > maxWarningBytes {
			return warnings[:i]
		}
	}
	return warnings
}
