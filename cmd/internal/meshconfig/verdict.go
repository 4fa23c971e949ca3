package meshconfig

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// verdict is what has come of a MeshConfig, the one of that generation.
type verdict struct {
	uid        types.UID // none: of there being none
	generation int64
	err        error
}

func newVerdict(object *unstructured.Unstructured, err error) verdict {
	if object == nil {
		return verdict{err: err}
	}
	return verdict{object.GetUID(), object.GetGeneration(), err}
}

// of tells whether the verdict is one of that object. The generation changes
// with the spec alone.
func (v verdict) of(object *unstructured.Unstructured) bool {
	other := newVerdict(object, nil)
	return v.uid == other.uid && v.generation == other.generation
}
