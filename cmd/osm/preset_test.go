package main

import (
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/osm-edge/osm/cmd/internal/injection"
	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/manifests/render"
)

// preset is the first MeshConfig of a mesh with these values.
func preset(t *testing.T, values map[string]any) *v1.MeshConfig {
	t.Helper()
	objects, err := render.Chart(render.Options{Namespace: "osm-system", Values: values})
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		if object.GetKind() != "ConfigMap" || object.GetName() != "osm-preset" {
			continue
		}
		configMap := &corev1.ConfigMap{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, configMap); err != nil {
			t.Fatal(err)
		}
		config := &v1.MeshConfig{}
		if err := yaml.UnmarshalStrict([]byte(configMap.Data["mesh-config.yaml"]), config); err != nil {
			t.Fatal(err)
		}
		return config
	}
	t.Fatal("the chart has no ConfigMap osm-preset")
	return nil
}

func TestTheFirstMeshConfigSaysWhatTheFlagsSay(t *testing.T) {
	tests := map[string]map[string]any{
		"no values": {},
		"every value": {
			"sidecarImage": "example.test/pipy:1", "sidecarLogLevel": "debug", "enablePrivilegedInitContainer": true,
			"sidecarResources":         map[string]any{"limits": map[string]any{"cpu": "1", "memory": "64Mi"}, "requests": map[string]any{"cpu": "0.5"}},
			"inboundPortExclusionList": []any{80}, "outboundPortExclusionList": []any{443, 8443},
			"outboundIPRangeExclusionList": []any{"192.0.2.0/24"}, "outboundIPRangeInclusionList": []any{"10.0.0.0/8", "fd00::/8"},
			"networkInterfaceExclusionList": []any{"net1"},
		},
	}
	for name, values := range tests {
		t.Run(name, func(t *testing.T) {
			values := map[string]any{"osm": values}
			flags, err := injectorSettings("osm-system", values)
			if err != nil {
				t.Fatal(err)
			}
			both, err := injection.Overlay(flags, preset(t, values))
			if err != nil {
				t.Fatal(err)
			}
			if overruled := injection.Overruled(flags, preset(t, values)); len(overruled) > 0 {
				t.Errorf("%q are said to be overruled", overruled)
			}
			if !reflect.DeepEqual(both, flags) {
				t.Errorf("with the MeshConfig %+v, want %+v", both, flags)
			}
		})
	}
}
