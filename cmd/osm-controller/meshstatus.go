package main

import (
	"context"
	"encoding/json"
	"time"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/osm-edge/osm/manifests/crd/v1"
)

const (
	// statusTimeout bounds the wait for the API server.
	statusTimeout = 10 * time.Second
	// maxConditionMessage is the longest that the schema of conditions takes.
	maxConditionMessage = 32768
)

// meshStatus says in a MeshConfig whether it counts. Replicas write the same.
type meshStatus struct{ client dynamic.ResourceInterface }

// write writes the status of an object if it is another one. An object that
// was changed meanwhile is seen again.
func (s *meshStatus) write(ctx context.Context, object *unstructured.Unstructured, invalid error) error {
	before := statusOf(object)
	after := nextStatus(before, object.GetGeneration(), invalid)
	if apiequality.Semantic.DeepEqual(before, after) {
		return nil
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": object.GetResourceVersion()},
		"status":   after,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	_, err = s.client.Patch(ctx, object.GetName(), types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// statusOf returns the status there is. One that cannot be read is replaced.
func statusOf(object *unstructured.Unstructured) v1.MeshConfigStatus {
	var status v1.MeshConfigStatus
	content, _, _ := unstructured.NestedMap(object.Object, "status")
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, &status); err != nil {
		return v1.MeshConfigStatus{}
	}
	return status
}

func nextStatus(before v1.MeshConfigStatus, generation int64, invalid error) v1.MeshConfigStatus {
	after := *before.DeepCopy()
	after.ObservedGeneration = generation
	ready := metav1.Condition{
		Type:               "Ready",
		Status:             metav1.ConditionTrue,
		Reason:             "Followed",
		Message:            "the mesh follows these settings",
		ObservedGeneration: generation,
	}
	if invalid != nil {
		ready.Status, ready.Reason = metav1.ConditionFalse, "Invalid"
		ready.Message = bounded("the mesh keeps to the settings before: "+invalid.Error(), maxConditionMessage)
	}
	meta.SetStatusCondition(&after.Conditions, ready)
	return after
}
