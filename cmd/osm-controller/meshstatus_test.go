package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/osm-edge/osm/cmd/internal/meshconfig"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

func meshConfigObject(t *testing.T, generation int64, status v1.MeshConfigStatus) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{}
	config := &v1.MeshConfig{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: v1.MeshConfigName, Generation: generation}, Status: status}
	config.SetGroupVersionKind(v1.GroupVersion.WithKind("MeshConfig"))
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(config)
	if err != nil {
		t.Fatal(err)
	}
	object.Object = content
	return object
}

// written is the status that is patched into an object, nil if none is.
func written(t *testing.T, object *unstructured.Unstructured, invalid error) *v1.MeshConfigStatus {
	t.Helper()
	client := fake.NewSimpleDynamicClient(runtime.NewScheme(), object)
	s := &meshStatus{client.Resource(meshconfig.Resource()).Namespace("osm-system")}
	if err := s.write(t.Context(), object, invalid); err != nil {
		t.Fatal(err)
	}
	for _, action := range client.Actions() {
		if patch, ok := action.(clienttesting.PatchAction); ok && action.GetSubresource() == "status" {
			var content struct{ Status v1.MeshConfigStatus }
			if err := json.Unmarshal(patch.GetPatch(), &content); err != nil {
				t.Fatal(err)
			}
			return &content.Status
		}
	}
	return nil
}

func TestAMeshConfigSaysWhetherItCounts(t *testing.T) {
	invalid := errors.New("spec.sidecar.logLevel: Unsupported value")
	tests := map[string]struct {
		invalid error
		status  metav1.ConditionStatus
		reason  string
		message string
	}{
		"it does":               {nil, metav1.ConditionTrue, "Followed", "follows"},
		"it does not":           {invalid, metav1.ConditionFalse, "Invalid", invalid.Error()},
		"for very many reasons": {errors.New(strings.Repeat("a", 40000)), metav1.ConditionFalse, "Invalid", "aaa"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := written(t, meshConfigObject(t, 3, v1.MeshConfigStatus{}), test.invalid)
			if got == nil || len(got.Conditions) != 1 || got.ObservedGeneration != 3 {
				t.Fatalf("status %+v", got)
			}
			ready := got.Conditions[0]
			if ready.Type != "Ready" || ready.Status != test.status || ready.Reason != test.reason || ready.ObservedGeneration != 3 ||
				!strings.Contains(ready.Message, test.message) || len(ready.Message) > maxConditionMessage || ready.LastTransitionTime.IsZero() {
				t.Errorf("condition %+v", ready)
			}
		})
	}
}

func TestAStatusIsWrittenOnlyIfItIsAnotherOne(t *testing.T) {
	first := written(t, meshConfigObject(t, 1, v1.MeshConfigStatus{}), nil)
	if again := written(t, meshConfigObject(t, 1, *first), nil); again != nil {
		t.Errorf("written again: %+v", again)
	}
	foreign := metav1.Condition{Type: "Approved", Status: metav1.ConditionTrue, Reason: "ByHand"}
	first.Conditions = append(first.Conditions, foreign)
	later := written(t, meshConfigObject(t, 2, *first), errors.New("invalid"))
	if later == nil || later.ObservedGeneration != 2 || len(later.Conditions) != 2 {
		t.Errorf("another generation, and a condition of others: %+v", later)
	}
}
