package webhook

import (
	"errors"
	"fmt"
	"slices"

	admissionv1 "k8s.io/api/admission/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/osm-edge/osm/manifests/crd/convert"
	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/manifests/crd/v1alpha2"
	"github.com/osm-edge/osm/manifests/crd/validate"
)

// review is what is to be validated, as version v1 has it.
type review struct {
	kind    string
	version string // of the request
	// config or root is the new object, none for a deletion.
	config *v1.MeshConfig
	root   *v1.MeshRootCertificate
	// result is of what the new object says by itself.
	result validate.Result
	// oldRoot is the root before, none for a creation.
	oldRoot *v1.MeshRootCertificate
	// unchanged tells that an update leaves the spec as it is. Such a one is let
	// through even if the spec would be refused today: a finalizer could never
	// be removed otherwise.
	unchanged bool
}

func readReview(request admission.Request) (*review, error) {
	kinds, versions := []string{"MeshConfig", "MeshRootCertificate"}, []string{v1.GroupVersion.Version, v1alpha2.GroupVersion.Version}
	if request.Kind.Group != v1.GroupVersion.Group || !slices.Contains(versions, request.Kind.Version) || !slices.Contains(kinds, request.Kind.Kind) {
		return nil, fmt.Errorf("%s is not validated here: call this webhook for MeshConfig and MeshRootCertificate of %s and %s only",
			request.Kind, v1.GroupVersion, v1alpha2.GroupVersion)
	}
	r := &review{kind: request.Kind.Kind, version: request.Kind.Version}
	var object validate.Object
	if request.Operation != admissionv1.Delete {
		var err error
		if object, err = r.readNew(request.Object.Raw); err != nil {
			return nil, fmt.Errorf("decoding %s %s: %w", r.kind, request.Name, err)
		}
	}
	if request.Operation != admissionv1.Create {
		old, root := readOld(request)
		r.oldRoot = root
		r.unchanged = request.Operation != admissionv1.Delete && apiequality.Semantic.DeepEqual(object.Spec, old.Spec) &&
			apiequality.Semantic.DeepEqual(object.Misfits, old.Misfits)
	}
	return r, nil
}

func (r *review) readNew(raw []byte) (validate.Object, error) {
	object, err := readObject(raw)
	if err != nil {
		return validate.Object{}, err
	}
	if r.kind == "MeshConfig" {
		r.config, r.result, err = object.MeshConfig()
	} else {
		r.root, r.result, err = object.MeshRootCertificate()
	}
	return object, err
}

// readOld takes a root that can't be read for one that may sign: fixing
// or deleting it must be possible, but not without a check.
func readOld(request admission.Request) (validate.Object, *v1.MeshRootCertificate) {
	old, err := readObject(request.OldObject.Raw)
	var root *v1.MeshRootCertificate
	if err == nil {
		root, _, err = old.MeshRootCertificate()
	}
	if err != nil {
		root = &v1.MeshRootCertificate{Spec: v1.MeshRootCertificateSpec{Role: v1.Active}}
	}
	root.Name = request.Name
	return old, root
}

// readObject returns the object as version v1 has it.
func readObject(raw []byte) (validate.Object, error) {
	if len(raw) == 0 {
		return validate.Object{}, errors.New("there is no object")
	}
	object, err := decodeObject(raw)
	if err != nil {
		return validate.Object{}, err
	}
	return validate.Read(object)
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
