package injector

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// ProxyLabel is the pod label that holds the proxy's id.
const ProxyLabel = "osm-proxy-uuid"

// mutate returns a copy of pod with the sidecar that bootstrap describes. The
// pod must not have one yet: see injected.
func mutate(pod *corev1.Pod, bootstrap Bootstrap, config *Config) (*corev1.Pod, error) {
	encoded, err := json.Marshal(bootstrap)
	if err != nil {
		return nil, fmt.Errorf("encoding the sidecar's bootstrap: %w", err)
	}
	mutated := pod.DeepCopy()
	mutated.Labels = with(mutated.Labels, ProxyLabel, bootstrap.Proxy)
	mutated.Annotations = with(mutated.Annotations, BootstrapAnnotation, string(encoded))
	mutated.Spec.Volumes = append(mutated.Spec.Volumes, identityVolume())
	// Last, so that the application's container stays the default one of
	// kubectl logs and exec.
	mutated.Spec.Containers = append(mutated.Spec.Containers, sidecar(config))
	return mutated, nil
}

func with(entries map[string]string, key, value string) map[string]string {
	if entries == nil {
		return map[string]string{key: value}
	}
	entries[key] = value
	return entries
}
