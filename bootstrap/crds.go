package bootstrap

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/osm-edge/osm/manifests"
)

const fieldManager = "osm-bootstrap"

// applyCRDs installs the custom resource definitions, and brings those of an
// older release up to date: Helm never does.
func (b *Bootstrap) applyCRDs(ctx context.Context) error {
	crds, err := manifests.CRDs(b.MeshNamespace)
	if err != nil {
		return err
	}
	for _, crd := range crds {
		crd.Labels = b.Labels
		patch, err := json.Marshal(crd)
		if err != nil {
			return err
		}
		force := true
		options := metav1.PatchOptions{FieldManager: fieldManager, Force: &force}
		if _, err := b.CRDs.Patch(ctx, crd.Name, types.ApplyPatchType, patch, options); err != nil {
			return fmt.Errorf("apply custom resource definition %s: %w", crd.Name, err)
		}
	}
	return nil
}
