package injector

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// injected tells whether pod has its sidecar already: the API server may ask
// about a pod more than once, and people create pods from the manifests of
// running ones. A pod that bears only some of the marks of injection, or those
// of another service account, is refused.
func injected(pod *corev1.Pod, id identity) (bool, error) {
	present, missing := marks(pod)
	if len(present) == 0 {
		return false, nil
	}
	if len(missing) > 0 {
		return false, fmt.Errorf("it has %s but not %s, so it is neither without a sidecar nor with one: remove or rename %s",
			strings.Join(present, " and "), strings.Join(missing, " and "), strings.Join(present, " and "))
	}
	bootstrap, err := ParseBootstrap([]byte(pod.Annotations[BootstrapAnnotation]))
	if err == nil && (bootstrap.Identity != id.spiffeID.String() || bootstrap.Proxy != pod.Labels[ProxyLabel]) {
		err = fmt.Errorf("the sidecar is that of proxy %s of %s", bootstrap.Proxy, bootstrap.Identity)
	}
	if err != nil {
		return false, fmt.Errorf("it has a sidecar that is not its own: %w: remove %s",
			err, strings.Join(present, " and "))
	}
	return true, nil
}

// marks splits what injection adds by whether pod has it.
func marks(pod *corev1.Pod) (present, missing []string) {
	sort := func(mark string, has bool) {
		if has {
			present = append(present, mark)
		} else {
			missing = append(missing, mark)
		}
	}
	named := func(c corev1.Container) bool { return c.Name == sidecarName }
	sort("the container "+sidecarName,
		slices.ContainsFunc(pod.Spec.Containers, named) || slices.ContainsFunc(pod.Spec.InitContainers, named))
	sort("the volume "+identityVolumeName,
		slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == identityVolumeName }))
	_, labelled := pod.Labels[ProxyLabel]
	sort("the label "+ProxyLabel, labelled)
	_, annotated := pod.Annotations[BootstrapAnnotation]
	sort("the annotation "+BootstrapAnnotation, annotated)
	return present, missing
}
