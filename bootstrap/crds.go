package bootstrap

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/osm-edge/osm/manifests"
)

const (
	fieldManager = "osm-bootstrap"

	establishPoll    = 100 * time.Millisecond
	establishTimeout = 10 * time.Second
)

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
		applied, err := b.CRDs.Patch(ctx, crd.Name, types.ApplyPatchType, patch, options)
		if err == nil {
			err = b.awaitEstablished(ctx, applied)
		}
		if err != nil {
			return fmt.Errorf("apply custom resource definition %s: %w", crd.Name, err)
		}
	}
	return nil
}

// awaitEstablished waits until objects of a definition that is new can be created.
func (b *Bootstrap) awaitEstablished(ctx context.Context, crd *apiextensionsv1.CustomResourceDefinition) error {
	if established(crd) {
		return nil
	}
	return wait.PollUntilContextTimeout(ctx, establishPoll, establishTimeout, false, func(ctx context.Context) (bool, error) {
		latest, err := b.CRDs.Get(ctx, crd.Name, metav1.GetOptions{})
		return err == nil && established(latest), err
	})
}

func established(crd *apiextensionsv1.CustomResourceDefinition) bool {
	return slices.ContainsFunc(crd.Status.Conditions, func(c apiextensionsv1.CustomResourceDefinitionCondition) bool {
		return c.Type == apiextensionsv1.Established && c.Status == apiextensionsv1.ConditionTrue
	})
}
