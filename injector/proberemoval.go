package injector

import corev1 "k8s.io/api/core/v1"

// removeRewritten takes out what rewriteProbes wrote into a pod that another is
// a copy of, where the annotation that tells what it stood for is lost. That is
// what "kubectl debug --copy-to" makes: it drops the probes of containers by
// itself, but not their hooks, and nothing of init containers (kubectl 1.37,
// pkg/cmd/debug/profiles.go).
func removeRewritten(pod *corev1.Pod) {
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			for _, q := range questions(&containers[i]) {
				if q.isRewritten(&containers[i]) {
					q.remove(&containers[i])
				}
			}
		}
	}
}

func (q question) isRewritten(c *corev1.Container) bool {
	port, ok := q.target(c)
	return ok && isSidecarPort(port) && q.handler.HTTPGet != nil && q.handler.HTTPGet.Path == q.path(c)
}
