package injector

import (
	"errors"
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/manifests/mesh"
)

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
	o.warnings = strays(pod, namespace)
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
