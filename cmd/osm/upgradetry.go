package main

import (
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/resource"
)

// overwritten returns what differs from all of the former releases, as they would
// be applied today, and is not what it is to become.
func overwritten(live, after *unstructured.Unstructured, former []*resource.Info) []difference {
	changes := differences("", bare(live), bare(after))
	for _, original := range former {
		released, err := dryRun(original)
		if err != nil {
			continue // what it was cannot be told
		}
		byHand := differences("", bare(live), bare(released))
		changes = slices.DeleteFunc(changes, func(d difference) bool {
			return !slices.ContainsFunc(byHand, func(other difference) bool { return other.path == d.path })
		})
	}
	if len(former) == 0 {
		return nil
	}
	return changes
}

// bare is an object without what the API server writes itself.
func bare(o *unstructured.Unstructured) any {
	o = o.DeepCopy()
	delete(o.Object, "status")
	for _, field := range []string{"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp"} {
		unstructured.RemoveNestedField(o.Object, "metadata", field)
	}
	return o.Object
}

// dryRun returns what an object would become.
func dryRun(info *resource.Info) (*unstructured.Unstructured, error) {
	data, err := runtime.Encode(unstructured.UnstructuredJSONScheme, info.Object)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", naming(info), err)
	}
	force := true
	after, err := resource.NewHelper(info.Client, info.Mapping).DryRun(true).WithFieldManager(helmManager).
		Patch(info.Namespace, info.Name, types.ApplyPatchType, data, &metav1.PatchOptions{Force: &force})
	if err != nil {
		return nil, fmt.Errorf("try to apply %s: %w", naming(info), err)
	}
	return after.(*unstructured.Unstructured), nil
}

// immutable tells whether the API server refuses to change a field at all. It
// has no reason of its own for that.
func immutable(err error) bool {
	return apierrors.IsInvalid(err) && (strings.Contains(err.Error(), "immutable") || strings.Contains(err.Error(), "cannot change roleRef"))
}

// naming says of which object something is said.
func naming(info *resource.Info) string {
	kind := info.Mapping.GroupVersionKind.Kind
	if info.Namespace == "" {
		return kind + " " + info.Name
	}
	return kind + " " + info.Namespace + "/" + info.Name
}
