package webhook

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/manifests/crd/validate"
)

func (v *Validator) meshConfig(ctx context.Context, config *v1.MeshConfig, result *validate.Result) {
	if config == nil {
		return
	}
	if config.Name != v1.MeshConfigName {
		result.Warn("MeshConfig %s has no effect: the mesh follows %s", config.Name, v1.MeshConfigName)
	}
	result.Refuse(v.withinRoot(ctx, config.Spec.Certificate.ServiceCertValidityDuration)...)
}

// withinRoot refuses a lifetime that the root does not have left. Who follows a
// MeshConfig takes it, because the root may be replaced.
func (v *Validator) withinRoot(ctx context.Context, value string) field.ErrorList {
	validity, err := time.ParseDuration(value)
	notAfter, known := v.options.RootNotAfter(ctx)
	if err != nil || !known {
		return nil
	}
	path := field.NewPath("spec", "certificate", "serviceCertValidityDuration")
	switch left, end := time.Until(notAfter), notAfter.UTC().Format(time.RFC3339); {
	case left < validate.MinServiceCertValidity:
		return field.ErrorList{field.Invalid(path, value, fmt.Sprintf(
			"beyond the root, which expires at %s, as any lifetime is: replace the root first", end))}
	case validity > left:
		return field.ErrorList{field.Invalid(path, value, fmt.Sprintf(
			"beyond the root, which expires at %s: use %s or less, or replace the root first", end, left.Truncate(time.Minute)))}
	}
	return nil
}
