package injector

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// amounts are limits or requests, by the names of resources.
type amounts map[corev1.ResourceName]string

func amountsOf(list corev1.ResourceList) amounts {
	of := amounts{}
	for name, quantity := range list {
		of[name] = quantity.String()
	}
	return of
}

func TestThePodsResourcesBeatTheNamespacesAndThoseTheMeshs(t *testing.T) {
	// The mesh requests 10m of CPU and 32Mi of memory, and limits memory to 128Mi.
	tests := map[string]struct {
		pod, namespace   says
		limits, requests amounts
	}{
		"no one says anything": {
			limits:   amounts{"memory": "128Mi"},
			requests: amounts{"cpu": "10m", "memory": "32Mi"},
		},
		"the namespace's takes precedence over the mesh's": {
			namespace: says{"sidecar-resource-limits-memory": "256Mi", "sidecar-resource-requests-cpu": "20m"},
			limits:    amounts{"memory": "256Mi"},
			requests:  amounts{"cpu": "20m", "memory": "32Mi"},
		},
		"the pod's takes precedence over the namespace's, resource by resource": {
			pod:       says{"sidecar-resource-requests-cpu": "30m"},
			namespace: says{"sidecar-resource-requests-cpu": "20m", "sidecar-resource-requests-memory": "64Mi"},
			limits:    amounts{"memory": "128Mi"},
			requests:  amounts{"cpu": "30m", "memory": "64Mi"},
		},
		"a limit without a request": {
			pod:      says{"sidecar-resource-limits-cpu": "1", "sidecar-resource-limits-ephemeral-storage": "1Gi"},
			limits:   amounts{"cpu": "1", "memory": "128Mi", "ephemeral-storage": "1Gi"},
			requests: amounts{"cpu": "10m", "memory": "32Mi"},
		},
		"a request that equals the limit": {
			pod:      says{"sidecar-resource-requests-memory": "131072Ki"},
			limits:   amounts{"memory": "128Mi"},
			requests: amounts{"cpu": "10m", "memory": "128Mi"},
		},
		"zero": {
			pod:      says{"sidecar-resource-requests-cpu": "0", "sidecar-resource-requests-memory": "0"},
			limits:   amounts{"memory": "128Mi"},
			requests: amounts{"cpu": "0", "memory": "0"},
		},
		"storage is ephemeral-storage": {
			pod:      says{"sidecar-resource-limits-storage": "2Gi", "sidecar-resource-requests-storage": "1Gi"},
			limits:   amounts{"memory": "128Mi", "ephemeral-storage": "2Gi"},
			requests: amounts{"cpu": "10m", "memory": "32Mi", "ephemeral-storage": "1Gi"},
		},
		"ephemeral-storage takes precedence over storage of the same object": {
			pod:      says{"sidecar-resource-requests-storage": "1Gi", "sidecar-resource-requests-ephemeral-storage": "2Gi"},
			limits:   amounts{"memory": "128Mi"},
			requests: amounts{"cpu": "10m", "memory": "32Mi", "ephemeral-storage": "2Gi"},
		},
		"the pod's storage takes precedence over the namespace's ephemeral-storage": {
			pod:       says{"sidecar-resource-requests-storage": "1Gi"},
			namespace: says{"sidecar-resource-requests-ephemeral-storage": "2Gi"},
			limits:    amounts{"memory": "128Mi"},
			requests:  amounts{"cpu": "10m", "memory": "32Mi", "ephemeral-storage": "1Gi"},
		},
		"the pod's ephemeral-storage takes precedence over the namespace's storage": {
			pod:       says{"sidecar-resource-requests-ephemeral-storage": "1Gi"},
			namespace: says{"sidecar-resource-requests-storage": "2Gi"},
			limits:    amounts{"memory": "128Mi"},
			requests:  amounts{"cpu": "10m", "memory": "32Mi", "ephemeral-storage": "1Gi"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := overridesOf(t, testConfig(t), test.pod, test.namespace)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.limits, amountsOf(got.resources.Limits)); diff != "" {
				t.Errorf("limits, -want +got:\n%s", diff)
			}
			if diff := cmp.Diff(test.requests, amountsOf(got.resources.Requests)); diff != "" {
				t.Errorf("requests, -want +got:\n%s", diff)
			}
		})
	}
}

func TestARequestAboveItsLimitIsRefusedByWhereBothAreFrom(t *testing.T) {
	const pod, namespace, mesh = "from the pod's annotation", "from the namespace's annotation", "from the mesh-wide setting"
	tests := map[string]struct {
		pod, namespace says
		want           []string
	}{
		"both the pod's": {
			pod:  says{"sidecar-resource-requests-cpu": "2", "sidecar-resource-limits-cpu": "1"},
			want: []string{"request of 2 cpu, " + pod, "limit of 1, " + pod},
		},
		"the pod's limit below the mesh's request": {
			pod:  says{"sidecar-resource-limits-memory": "16Mi"},
			want: []string{"request of 32Mi memory, " + mesh, "limit of 16Mi, " + pod},
		},
		"the pod's request above the mesh's limit": {
			pod:  says{"sidecar-resource-requests-memory": "1Gi"},
			want: []string{"request of 1Gi memory, " + pod, "limit of 128Mi, " + mesh},
		},
		"the pod's request above the namespace's limit": {
			pod:       says{"sidecar-resource-requests-storage": "1Gi"},
			namespace: says{"sidecar-resource-limits-ephemeral-storage": "1G"},
			want:      []string{"request of 1Gi ephemeral-storage, " + pod, "limit of 1G, " + namespace},
		},
		"a limit of nothing": {
			namespace: says{"sidecar-resource-limits-cpu": "0"},
			want:      []string{"request of 10m cpu, " + mesh, "limit of 0, " + namespace},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := overridesOf(t, testConfig(t), test.pod, test.namespace)
			refusedWith(t, err, append(test.want, "pod bookstore/bookstore-v2: ", requestAnnotation, limitAnnotation)...)
		})
	}
}

func TestMeshWideResourcesThatNoSidecarCanHaveAreRefused(t *testing.T) {
	tests := map[string]struct {
		limits, requests amounts
		want             []string
	}{
		"a negative limit":                {amounts{"cpu": "-1"}, nil, []string{"limit of -1 cpu: negative"}},
		"thousandths of bytes":            {nil, amounts{"memory": "128m"}, []string{"request of 128m memory: fractions of bytes"}},
		"a resource that containers lack": {amounts{"storage": "1Gi"}, nil, []string{`limit of "storage"`, "cpu memory ephemeral-storage"}},
		"a request above its limit":       {amounts{"memory": "1Gi"}, amounts{"memory": "2Gi"}, []string{"the request of 2Gi memory is above the limit of 1Gi"}},
		"several":                         {amounts{"cpu": "-1"}, amounts{"memory": "-2"}, []string{"limit of -1 cpu", "request of -2 memory"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			refusedWith(t, checkResources(corev1.ResourceRequirements{Limits: list(test.limits), Requests: list(test.requests)}), test.want...)
		})
	}
	for name, requirements := range map[string]corev1.ResourceRequirements{"none": {}, "usual": testConfig(t).settings.SidecarResources} {
		if err := checkResources(requirements); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func list(of amounts) corev1.ResourceList {
	list := corev1.ResourceList{}
	for name, value := range of {
		list[name] = quantity(value)
	}
	return list
}

func FuzzResources(f *testing.F) {
	for _, value := range []string{"0", "1", "100m", "0.5", "64Mi", "1Gi", "128m", "1e3", "1E", "-1", "1e-9999999", "9E", "0.1Gi", "+.5Ki", "m", "1.0001"} {
		f.Add(value, "", "", "")
		f.Add(value, value, value, value)
	}
	config := testConfig(f)
	f.Fuzz(func(t *testing.T, podLimit, podRequest, limit, request string) {
		for _, resource := range []string{"cpu", "memory", "storage", "ephemeral-storage"} {
			limits, requests := "sidecar-resource-limits-"+resource, "sidecar-resource-requests-"+resource
			got, err := overridesOf(t, config,
				says{limits: podLimit, requests: podRequest}, says{limits: limit, requests: request})
			if err != nil {
				continue
			}
			if err := checkResources(got.resources); err != nil {
				t.Errorf("%s of %q, %q, %q, %q: %v", resource, podLimit, podRequest, limit, request, err)
			}
		}
	})
}
