package webhook

import (
	"errors"
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admission/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/osm-edge/osm/manifests/crd/convert"
	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/manifests/crd/v1alpha2"
)

// review is what is to be validated, as version v1 has it.
type review struct {
	kind    string
	version string // of the request
	// config or root is the new object, none for a deletion.
	config *v1.MeshConfig
	root   *v1.MeshRootCertificate
	// oldRoot is the root before, none for a creation.
	oldRoot *v1.MeshRootCertificate
	// misfits are the fields of the new object that v1 can't have.
	misfits field.ErrorList
	// settled tells that an update leaves the spec as it is. Such a one is let
	// through even if the spec would be refused today: a finalizer could never
	// be removed otherwise.
	settled bool
}

func readReview(request admission.Request) (*review, error) {
	kinds, versions := []string{"MeshConfig", "MeshRootCertificate"}, []string{v1.GroupVersion.Version, v1alpha2.GroupVersion.Version}
	if request.Kind.Group != v1.GroupVersion.Group || !slices.Contains(versions, request.Kind.Version) || !slices.Contains(kinds, request.Kind.Kind) {
		return nil, fmt.Errorf("%s is not validated here: call this webhook for MeshConfig and MeshRootCertificate of %s and %s only",
			request.Kind, v1.GroupVersion, v1alpha2.GroupVersion)
	}
	r := &review{kind: request.Kind.Kind, version: request.Kind.Version}
	var object, old *unstructured.Unstructured
	if request.Operation != admissionv1.Delete {
		var err error
		if object, r.misfits, err = r.readNew(request.Object.Raw); err != nil {
			return nil, fmt.Errorf("decoding %s %s: %w", r.kind, request.Name, err)
		}
	}
	if request.Operation != admissionv1.Create {
		var misfits field.ErrorList
		old, misfits, r.oldRoot = readOld(request)
		r.settled = object != nil && old != nil && apiequality.Semantic.DeepEqual(object.Object["spec"], old.Object["spec"]) &&
			apiequality.Semantic.DeepEqual(r.misfits, misfits)
	}
	return r, nil
}

func (r *review) readNew(raw []byte) (*unstructured.Unstructured, field.ErrorList, error) {
	object, misfits, err := readObject(raw)
	if err != nil {
		return nil, nil, err
	}
	if r.kind == "MeshConfig" {
		r.config = &v1.MeshConfig{}
		return object, misfits, decode(object, r.config)
	}
	r.root = &v1.MeshRootCertificate{}
	return object, misfits, decode(object, r.root)
}

// readOld takes a root that can't be read for one that may sign: fixing
// or deleting it must be possible, but not without a check.
func readOld(request admission.Request) (*unstructured.Unstructured, field.ErrorList, *v1.MeshRootCertificate) {
	root := &v1.MeshRootCertificate{}
	old, misfits, err := readObject(request.OldObject.Raw)
	if err != nil || decode(old, root) != nil {
		root = &v1.MeshRootCertificate{Spec: v1.MeshRootCertificateSpec{Role: v1.Active}}
	}
	root.Name = request.Name
	return old, misfits, root
}

// readObject returns the object as version v1 has it.
func readObject(raw []byte) (*unstructured.Unstructured, field.ErrorList, error) {
	if len(raw) == 0 {
		return nil, nil, errors.New("there is no object")
	}
	object, err := decodeObject(raw)
	if err != nil {
		return nil, nil, err
	}
	var misfits field.ErrorList
	if object.GetAPIVersion() == v1alpha2.GroupVersion.String() {
		for _, misfit := range convert.Misfits(object) {
			misfits = append(misfits, field.Invalid(field.NewPath(misfit.Path), field.OmitValueType{}, "want "+misfit.Want))
		}
	}
	// Whatever is stored has to be convertible both ways.
	trial := object.DeepCopy()
	if err := convert.To(v1alpha2.GroupVersion.String(), trial); err != nil {
		return nil, nil, err
	}
	if err := convert.To(v1.GroupVersion.String(), object); err != nil {
		return nil, nil, err
	}
	return object, misfits, readableResources(object, trial)
}

// readableResources refuses quantities before they get a Go type: what it costs
// to parse one grows with the number that its exponent stands for.
func readableResources(object, converted *unstructured.Unstructured) error {
	path := []string{"spec", "sidecar", "resources"}
	_, has, _ := unstructured.NestedFieldNoCopy(object.Object, path...)
	_, kept, _ := unstructured.NestedFieldNoCopy(converted.Object, path...)
	if has && !kept {
		return errors.New("spec.sidecar.resources: want limits and requests of quantities, such as cpu: 100m and memory: 64Mi")
	}
	return nil
}

// decode gives the object its Go type.
func decode(object *unstructured.Unstructured, into any) error {
	data, err := json.Marshal(object.Object)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// named gives the fields the names that they have in the request's version.
func (r *review) named(problems field.ErrorList) field.ErrorList {
	if r.version == v1.GroupVersion.Version {
		return problems
	}
	for _, problem := range problems {
		problem.Field = convert.Field(r.kind, problem.Field)
	}
	return problems
}
