package injector

import (
	"slices"
	"testing"
)

func TestAnnotationsThatHaveNoEffectAreWarnedOf(t *testing.T) {
	tests := map[string]struct {
		pod, namespace says
		want           []string
	}{
		"none": {},
		"all that are read": {
			pod: says{
				"sidecar-injection": "enabled", "sidecar-bootstrap": "{}",
				"inbound-port-exclusion-list": "", "outbound-port-exclusion-list": "",
				"outbound-ip-range-exclusion-list": "", "outbound-ip-range-inclusion-list": "", "http-port-list": "",
				"sidecar-resource-limits-cpu": "1", "sidecar-resource-limits-memory": "1Gi",
				"sidecar-resource-limits-storage": "1Gi", "sidecar-resource-limits-ephemeral-storage": "1Gi",
			},
			namespace: says{
				"sidecar-injection": "enabled", "metrics": "enabled",
				"sidecar-resource-requests-cpu": "1m", "sidecar-resource-requests-memory": "1Mi",
				"sidecar-resource-requests-storage": "1Mi", "sidecar-resource-requests-ephemeral-storage": "1Mi",
			},
		},
		"those of another part of the mesh": {pod: says{"ingress-backend": "x"}, namespace: says{"upstream-traffic": "y"}},
		"misspelt on the pod": {
			pod: says{"sidecar-resource-limit-cpu": "1", "outbound-port-exclusions": "80"},
			want: []string{
				"the pod's annotation openservicemesh.io/outbound-port-exclusions has no effect: there is none of this name",
				"the pod's annotation openservicemesh.io/sidecar-resource-limit-cpu has no effect: there is none of this name",
			},
		},
		"misspelt on the namespace": {
			namespace: says{"sidecar-inject": "enabled"},
			want:      []string{"the namespace's annotation openservicemesh.io/sidecar-inject has no effect: there is none of this name"},
		},
		"the namespace's on the pod": {
			pod:  says{"metrics": "enabled"},
			want: []string{"the pod's annotation openservicemesh.io/metrics has no effect: set it on the namespace"},
		},
		"the pod's on the namespace": {
			namespace: says{"inbound-port-exclusion-list": "80"},
			want:      []string{"the namespace's annotation openservicemesh.io/inbound-port-exclusion-list has no effect: set it on the pod"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := overridesOf(t, testConfig(t), test.pod, test.namespace)
			if err != nil || !slices.Equal(got.warnings, test.want) {
				t.Errorf("warned of %q, %v", got.warnings, err)
			}
		})
	}
}
