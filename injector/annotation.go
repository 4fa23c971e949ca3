package injector

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/injector/interception"
	"github.com/osm-edge/osm/manifests/mesh"
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

const metricsAnnotation = "openservicemesh.io/metrics"

// overrides is what the mesh, a namespace and a pod together say about the
// pod's sidecar. What only the mesh speaks of is the Config's own and not to be
// changed.
type overrides struct {
	// resources of the sidecar: each is the pod's, or else the namespace's, or
	// else the mesh's.
	resources corev1.ResourceRequirements
	// podRequests are those of the sidecar that the pod itself asks for.
	podRequests corev1.ResourceList
	// inboundPorts and outboundPorts are left alone by the sidecar, as the mesh
	// or the pod says, in order.
	inboundPorts, outboundPorts []uint16
	// excludeRanges are destinations that are left alone, as the mesh or the
	// pod says, in order.
	excludeRanges []netip.Prefix
	// includeRanges are the only destinations that are not left alone, if there
	// are any, as the mesh or the pod says, in order. So a pod adds to what the
	// mesh includes; only where the mesh includes all it can narrow it.
	includeRanges []netip.Prefix
	// httpPorts are those that the pod's annotation declares HTTP, in order.
	httpPorts []uint16
	// placement is the mesh's.
	placement Placement
	// metrics tells whether the namespace has them scraped.
	metrics bool
	// warnings are for the creator of the pod.
	warnings []string
}

// readOverrides reads the annotations of a pod that gets a sidecar, and of its
// namespace. The error is a refusal of the pod: it names the object and every
// annotation of it that is wrong, overridden or not, and says what to write.
func readOverrides(pod *corev1.Pod, namespace *corev1.Namespace, config *Config) (overrides, error) {
	metrics, metricsErr := parseMetrics(namespace.Annotations)
	offered, offeredErr := annotatedResources(namespace.Annotations)
	if err := errors.Join(metricsErr, offeredErr); err != nil {
		return overrides{}, fmt.Errorf("namespace %s: %w", namespace.Name, err)
	}
	o, listsErr := annotatedLists(pod.Annotations, config)
	wanted, wantedErr := annotatedResources(pod.Annotations)
	err := errors.Join(listsErr, wantedErr)
	if err == nil {
		o.resources, err = mergeResources(
			resourceLayer{"the mesh-wide setting", config.settings.SidecarResources},
			resourceLayer{"the namespace's annotation", offered},
			resourceLayer{"the pod's annotation", wanted})
	}
	if err != nil {
		return overrides{}, fmt.Errorf("pod %s: %w", podName(pod, namespace.Name), err)
	}
	o.metrics, o.podRequests, o.placement = metrics, wanted.Requests, config.settings.Placement
	o.warnings = unknownAnnotations(pod, namespace)
	return o, nil
}

// annotatedLists merges a pod's lists of ports and ranges with the mesh's.
func annotatedLists(annotations map[string]string, config *Config) (overrides, error) {
	settings := &config.settings
	inbound, inboundErr := annotatedPorts(annotations, inboundPortsAnnotation, settings.InboundPortExclusions)
	outbound, outboundErr := annotatedPorts(annotations, outboundPortsAnnotation, settings.OutboundPortExclusions)
	exclude, excludeErr := annotatedRanges(annotations, excludedRangesAnnotation, settings.OutboundRangeExclusions)
	include, includeErr := annotatedRanges(annotations, includedRangesAnnotation, settings.OutboundRangeInclusions)
	http, httpErr := annotatedHTTPPorts(annotations)
	if err := errors.Join(inboundErr, outboundErr, excludeErr, includeErr, httpErr); err != nil {
		return overrides{}, err
	}
	return overrides{inboundPorts: inbound, outboundPorts: outbound, excludeRanges: exclude, includeRanges: include, httpPorts: http}, nil
}

// parseMetrics takes the values of mesh.Switch.
func parseMetrics(annotations map[string]string) (bool, error) {
	value, set := annotations[metricsAnnotation]
	if !set {
		return false, nil
	}
	if on, ok := mesh.Switch(value); ok {
		return on, nil
	}
	return false, fmt.Errorf("annotation %s is %.64q: set it to enabled, yes or true to have its pods scraped, to disabled, no or false otherwise, or remove it",
		metricsAnnotation, value)
}

// unknownAnnotations warns of annotations that look as if they were for the sidecar, but
// that nothing reads: misspelt ones, and those that belong on the other object.
// They are not refused, for they may be some other tool's.
func unknownAnnotations(pod *corev1.Pod, namespace *corev1.Namespace) []string {
	var warnings []string
	for key := range pod.Annotations {
		if meantForSidecar(key) && !readFromPod(key) {
			warnings = append(warnings, misplaced("pod", key, "namespace", readFromNamespace))
		}
	}
	for key := range namespace.Annotations {
		if meantForSidecar(key) && !readFromNamespace(key) {
			warnings = append(warnings, misplaced("namespace", key, "pod", readFromPod))
		}
	}
	slices.Sort(warnings)
	return warnings
}

func misplaced(object, key, other string, readFromOther func(string) bool) string {
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

const (
	// maxEntries is how much a list of ports or ranges may hold. With a
	// mesh-wide list and a pod's own, both full, of the longest entries, what
	// osm-init is told stays within what it reads.
	maxEntries = interception.MaxExclusions
	// maxListBytes leaves every entry 64 bytes, blanks included: the longest
	// range has 43.
	maxListBytes = maxEntries * 64
)

// entries splits a comma-separated list. Blanks around entries do not count,
// and a list of nothing else is empty.
func entries(list string) ([]string, error) {
	if len(list) > maxListBytes {
		return nil, fmt.Errorf("a list of %d bytes: at most %d are taken: shorten it", len(list), maxListBytes)
	}
	if strings.TrimSpace(list) == "" {
		return nil, nil
	}
	split := strings.Split(list, ",")
	if err := checkCount(len(split)); err != nil {
		return nil, err
	}
	for i := range split {
		split[i] = strings.TrimSpace(split[i])
	}
	return split, nil
}

func checkCount(entries int) error {
	if entries > maxEntries {
		return fmt.Errorf("a list of %d entries: at most %d are taken: shorten it", entries, maxEntries)
	}
	return nil
}
