package convert

import (
	"fmt"
	"maps"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/manifests/crd/v1alpha2"
)

// The annotations that hold, as JSON, what the object would have more in the
// other version.
const (
	annotationV1       = "config.openservicemesh.io/v1-fields"
	annotationV1alpha2 = "config.openservicemesh.io/v1alpha2-fields"
)

// To makes of a MeshConfig or MeshRootCertificate the one of apiVersion, such
// as config.openservicemesh.io/v1. One that is of it already is left as it is.
// The error names the object and what to fix.
func To(apiVersion string, object *unstructured.Unstructured) error {
	if object.GetAPIVersion() == apiVersion {
		return nil
	}
	known, ok := kinds()[object.GetKind()]
	var convert func(kind, *unstructured.Unstructured) error
	switch object.GetAPIVersion() + " " + apiVersion {
	case v1alpha2.GroupVersion.String() + " " + v1.GroupVersion.String():
		convert = toV1
	case v1.GroupVersion.String() + " " + v1alpha2.GroupVersion.String():
		convert = toV1alpha2
	}
	if !ok || convert == nil {
		return fmt.Errorf("%s is %s and can't be converted to %s: write it as %s", describe(object), object.GetAPIVersion(), apiVersion, v1.GroupVersion)
	}
	if err := convert(known, object); err != nil {
		return fmt.Errorf("%s: %w", describe(object), err)
	}
	object.SetAPIVersion(apiVersion)
	return nil
}

func toV1(k kind, object *unstructured.Unstructured) error {
	kept, err := keptIn(object, annotationV1)
	if err != nil {
		return err
	}
	source := body(object)
	k.dropNamespace(source, object.GetNamespace())
	target, rest := carry(source, kept, k.moves)
	k.choose(target, kept)
	merge(target, kept)
	replace(object, target)
	return keep(object, rest, annotationV1, annotationV1alpha2)
}

func toV1alpha2(k kind, object *unstructured.Unstructured) error {
	kept, err := keptIn(object, annotationV1alpha2)
	if err != nil {
		return err
	}
	var moves []move
	for _, m := range k.moves {
		moves = append(moves, m.flip())
	}
	target, rest := carry(body(object), kept, moves)
	merge(target, kept)
	k.addNamespace(target, object.GetNamespace())
	replace(object, target)
	return keep(object, rest, annotationV1alpha2, annotationV1)
}

// body is a copy of what an object is beside its type and metadata.
func body(object *unstructured.Unstructured) tree {
	body := clone(object.Object)
	for _, name := range header() {
		delete(body, name)
	}
	return body
}

func replace(object *unstructured.Unstructured, body tree) {
	for _, name := range header() {
		if value, has := object.Object[name]; has {
			body[name] = value
		}
	}
	object.Object = body
}

func header() []string { return []string{"apiVersion", "kind", "metadata"} }

// keptIn reads what an annotation holds.
func keptIn(object *unstructured.Unstructured, annotation string) (tree, error) {
	kept := tree{}
	value, has := object.GetAnnotations()[annotation]
	if !has {
		return kept, nil
	}
	if err := json.Unmarshal([]byte(value), &kept); err != nil || kept == nil {
		return nil, fmt.Errorf("metadata.annotations[%s]: not a JSON object: remove the annotation", annotation)
	}
	for _, name := range header() {
		delete(kept, name)
	}
	return kept, nil
}

// keep writes the rest into an annotation, and drops the one that was read.
func keep(object *unstructured.Unstructured, rest tree, read, written string) error {
	annotations := maps.Clone(object.GetAnnotations())
	delete(annotations, read)
	delete(annotations, written)
	if len(rest) > 0 {
		data, err := json.Marshal(rest)
		if err != nil {
			return err
		}
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[written] = string(data)
	}
	if len(annotations) == 0 {
		annotations = nil // none, where SetAnnotations would set an empty object
	}
	object.SetAnnotations(annotations)
	return nil
}

func describe(object *unstructured.Unstructured) string {
	return fmt.Sprintf("%s %s/%s", object.GetKind(), object.GetNamespace(), object.GetName())
}
