package injector

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

const (
	// defaultContainerAnnotation names the container that kubectl means if it is
	// told none; otherwise, the first.
	defaultContainerAnnotation = "kubectl.kubernetes.io/default-container"

	scrapeAnnotation     = "prometheus.io/scrape"
	scrapePortAnnotation = "prometheus.io/port"
	scrapePathAnnotation = "prometheus.io/path"
	metricsPath          = "/stats/prometheus"
)

// annotations are those that pod gets besides its Bootstrap.
func annotations(pod *corev1.Pod, chosen overrides, placement Placement) map[string]string {
	added := map[string]string{}
	if _, has := pod.Annotations[defaultContainerAnnotation]; !has && placement == Container {
		added[defaultContainerAnnotation] = pod.Spec.Containers[0].Name
	}
	if chosen.metrics && !isScraped(pod) {
		added[scrapeAnnotation] = "true"
		added[scrapePortAnnotation] = strconv.Itoa(metricsPort)
		added[scrapePathAnnotation] = metricsPath
	}
	return added
}

// isScraped tells pods that say themselves whether and where they have metrics:
// one pod can name one place only.
func isScraped(pod *corev1.Pod) bool {
	for _, key := range []string{scrapeAnnotation, scrapePortAnnotation, scrapePathAnnotation} {
		if _, says := pod.Annotations[key]; says {
			return true
		}
	}
	return false
}
