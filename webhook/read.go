package webhook

import (
	"context"

	"github.com/osm-edge/osm/manifests/crd/v1"
)

// CheckMeshRootCertificate refuses a MeshRootCertificate as the webhook does, for
// those who look before they write it.
func CheckMeshRootCertificate(raw []byte) error {
	object, misfits, err := readObject(raw)
	if err != nil {
		return err
	}
	root := &v1.MeshRootCertificate{}
	if err := decode(object, root); err != nil {
		return err
	}
	verdict := &verdict{problems: misfits}
	rootSpec(root.Spec, verdict)
	return verdict.problems.ToAggregate()
}

// ReadMeshConfig returns a MeshConfig for those who follow it. Not everything
// that is stored was validated: it may be older than this webhook. The error
// names every field that the mesh could not work with. A lifetime beyond the
// root is none, because the root may be replaced.
func ReadMeshConfig(raw []byte) (*v1.MeshConfig, error) {
	object, misfits, err := readObject(raw)
	if err != nil {
		return nil, err
	}
	config := &v1.MeshConfig{}
	if err := decode(object, config); err != nil {
		return nil, err
	}
	problems := append(misfits, NewValidator(ValidatorOptions{}).settings(context.Background(), config)...)
	return config, problems.ToAggregate()
}
