// Package validate refuses what the mesh's own objects say that no mesh could
// follow: the webhook that refuses it, the components that follow it and the osm
// that installs it keep to these rules. Schemas and CEL rules refuse what they can
// before.
//
// It must not know the mesh that an object belongs to, nor the object before.
package validate

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/manifests/crd/convert"
	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/manifests/crd/v1alpha2"
)

// Result is what is wrong with an object, and what its writer should know though
// nothing is wrong.
type Result struct {
	Problems field.ErrorList
	Warnings []string
}

// Refuse adds problems.
func (r *Result) Refuse(problems ...*field.Error) { r.Problems = append(r.Problems, problems...) }

// Warn adds a warning.
func (r *Result) Warn(format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
}

// Object is one of the mesh's own objects of either version.
type Object struct {
	// Spec is as version v1 has it, with what no version knows.
	Spec any
	// Misfits are the fields that v1 can't have, by the names that v1 gives them.
	Misfits field.ErrorList

	object *unstructured.Unstructured
}

// Read makes an object one of version v1, as which it is changed. The error tells
// why it can't be one.
func Read(object *unstructured.Unstructured) (Object, error) {
	var misfits field.ErrorList
	if object.GetAPIVersion() == v1alpha2.GroupVersion.String() {
		for _, misfit := range convert.Misfits(object) {
			misfits = append(misfits, field.Invalid(field.NewPath(misfit.Path), field.OmitValueType{}, "want "+misfit.Want))
		}
	}
	// Whatever is stored has to be convertible both ways.
	trial := object.DeepCopy()
	if err := convert.To(v1alpha2.GroupVersion.String(), trial); err != nil {
		return Object{}, err
	}
	if err := convert.To(v1.GroupVersion.String(), object); err != nil {
		return Object{}, err
	}
	return Object{object.Object["spec"], misfits, object}, readableResources(object, trial)
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

// MeshConfig returns the object as a MeshConfig, and what is wrong with it.
func (o Object) MeshConfig() (*v1.MeshConfig, Result, error) {
	config := &v1.MeshConfig{}
	if err := o.decode(config); err != nil {
		return nil, Result{}, err
	}
	return config, Result{Problems: append(o.Misfits, meshConfig(config.Spec)...)}, nil
}

// MeshRootCertificate returns the object as a MeshRootCertificate, and what is
// wrong with it.
func (o Object) MeshRootCertificate() (*v1.MeshRootCertificate, Result, error) {
	root := &v1.MeshRootCertificate{}
	if err := o.decode(root); err != nil {
		return nil, Result{}, err
	}
	result := Result{Problems: o.Misfits}
	meshRootCertificate(root.Spec, &result)
	return root, result, nil
}

// decode gives the object its Go type.
func (o Object) decode(into any) error {
	data, err := json.Marshal(o.object.Object)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

func meshRootCertificate(spec v1.MeshRootCertificateSpec, result *Result) {
	path := field.NewPath("spec")
	if domain := spec.TrustDomain; domain != "" && identity.CheckTrustDomain(domain) != nil {
		result.Refuse(field.Invalid(path.Child("trustDomain"), domain,
			"not a SPIFFE trust domain: use lower-case letters, digits, dots, dashes and underscores, such as cluster.local"))
	}
	result.Refuse(oneOf(path.Child("role"), spec.Role, v1.Active, v1.Passive, v1.Inactive, v1.Revoked)...)
	provider(path.Child("provider"), spec.Provider, result)
}

// ReadMeshConfig returns a MeshConfig for those who follow it. Not everything
// that is stored was validated: it may be older than the webhook. The error
// names every field that the mesh could not work with.
func ReadMeshConfig(raw []byte) (*v1.MeshConfig, error) {
	object, err := parse(raw)
	if err != nil {
		return nil, err
	}
	config, result, err := object.MeshConfig()
	if err != nil {
		return nil, err
	}
	return config, result.Problems.ToAggregate()
}

// CheckMeshRootCertificate refuses a MeshRootCertificate as the webhook does, for
// those who look before they write it.
func CheckMeshRootCertificate(raw []byte) error {
	object, err := parse(raw)
	if err != nil {
		return err
	}
	_, result, err := object.MeshRootCertificate()
	if err != nil {
		return err
	}
	return result.Problems.ToAggregate()
}

func parse(raw []byte) (Object, error) {
	object := &unstructured.Unstructured{}
	if err := json.Unmarshal(raw, &object.Object); err != nil {
		return Object{}, err
	}
	return Read(object)
}
