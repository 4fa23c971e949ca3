package meshconfig

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// result is what has come of a MeshConfig, the one of that generation.
type result struct {
	uid        types.UID // none: of there being none
	generation int64
	err        error
}

func newResult(object *unstructured.Unstructured, err error) result {
	if object == nil {
		return result{err: err}
	}
	return result{object.GetUID(), object.GetGeneration(), err}
}

// of tells whether the result is one of that object. The generation changes
// with the spec alone.
func (r result) of(object *unstructured.Unstructured) bool {
	other := newResult(object, nil)
	return r.uid == other.uid && r.generation == other.generation
}
