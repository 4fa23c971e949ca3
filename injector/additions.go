package injector

import (
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// ProxyLabel is the pod label that holds the proxy's id.
const ProxyLabel = "osm-proxy-uuid"

// additions are what a pod gets. They are known without a copy of the pod, so
// the patch that adds them costs no comparison.
type additions struct {
	labels, annotations map[string]string
	volumes             []corev1.Volume
	// containers come before the pod's own.
	containers []corev1.Container
	// initFirst come before the pod's own init containers, initLast after them.
	initFirst, initLast []corev1.Container
}

// additions are those of a pod whose sidecar is told bootstrap.
func (c *Config) additions(pod *corev1.Pod, chosen overrides, bootstrap Bootstrap) (additions, error) {
	encoded, err := json.Marshal(bootstrap)
	if err != nil {
		return additions{}, fmt.Errorf("encoding the sidecar's bootstrap: %w", err)
	}
	a := additions{
		labels:      map[string]string{ProxyLabel: bootstrap.Proxy},
		annotations: annotations(pod, chosen, c.settings.Placement),
		volumes:     []corev1.Volume{c.volume},
	}
	a.annotations[BootstrapAnnotation] = string(encoded)
	inits, err := c.initContainers(chosen)
	if err != nil {
		return additions{}, err
	}
	a.place(c.settings.Placement, inits, c.sidecar(pod, chosen.resources))
	return a, nil
}

// patch adds a to pod. It says nothing about what is there, so fields that this
// version of the API does not know stay.
func (a additions) patch(pod *corev1.Pod) []operation {
	return slices.Concat(
		entriesPatch("/metadata/labels", pod.Labels, a.labels),
		entriesPatch("/metadata/annotations", pod.Annotations, a.annotations),
		listPatch("/spec/volumes", len(pod.Spec.Volumes), nil, a.volumes),
		listPatch("/spec/initContainers", len(pod.Spec.InitContainers), a.initFirst, a.initLast),
		listPatch("/spec/containers", len(pod.Spec.Containers), a.containers, nil))
}
