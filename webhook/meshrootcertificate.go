package webhook

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/manifests/crd/validate"
)

func (v *Validator) meshRootCertificate(ctx context.Context, r *review, result *validate.Result) error {
	if r.root != nil && r.oldRoot != nil {
		unchanged(r.root.Spec, r.oldRoot.Spec, result)
	}
	if r.oldRoot != nil {
		return v.retirement(ctx, r.oldRoot, r.root, result)
	}
	return nil
}

// unchanged refuses to make an object stand for another root. Its certificates
// would be gone from the trust of the mesh before any proxy had those of the
// other: two objects can be trusted side by side.
func unchanged(spec, old v1.MeshRootCertificateSpec, result *validate.Result) {
	path := field.NewPath("spec")
	if old.TrustDomain != "" && spec.TrustDomain != old.TrustDomain {
		result.Refuse(field.Invalid(path.Child("trustDomain"), spec.TrustDomain,
			"it can't be changed: make another MeshRootCertificate"))
	}
	is, was := spec.Provider.Kinds(), old.Provider.Kinds()
	if len(is) == 1 && len(was) == 1 && is[0] != was[0] {
		result.Refuse(field.Forbidden(path.Child("provider"),
			fmt.Sprintf("is %s and can't become %s: make another MeshRootCertificate, and this one Passive when the other is in use", was[0], is[0])))
	}
}

// retirement refuses what would leave certificates without the root that they
// need. Nothing is asked unless the root is to be used less than it was.
func (v *Validator) retirement(ctx context.Context, old, root *v1.MeshRootCertificate, result *validate.Result) error {
	forced := old
	demoted, dropped, revoked := root == nil, root == nil, false
	if root != nil {
		forced = root
		demoted = old.Spec.Role == v1.Active && root.Spec.Role != v1.Active
		dropped = old.Spec.Role.Used() && !root.Spec.Role.Used()
		revoked = root.Spec.Role == v1.Revoked
	}
	if (!demoted && !dropped) || forced.Annotations[v1.AnnotationForce] == "true" {
		return nil
	}
	use, err := v.options.RootUse(ctx, old.Name)
	if err != nil {
		return fmt.Errorf("finding out whether MeshRootCertificate %s is in use: %w", old.Name, err)
	}
	if problem := needed(use, dropped && !revoked); problem != "" {
		path := field.NewPath("spec", "role")
		if root == nil {
			path = field.NewPath("metadata", "name")
		}
		result.Refuse(field.Forbidden(path, problem+"; the annotation "+v1.AnnotationForce+"=true does it nevertheless"))
	}
	return nil
}

// needed tells why a root can't be dropped, or only no longer be Active. One that
// is revoked needs a successor, and leaves its certificates behind.
func needed(use RootUse, dropped bool) string {
	until := use.Until.UTC().Format(time.RFC3339)
	switch {
	case use.Signs && use.Successor == "":
		return "the mesh's certificates are signed with this root: make another MeshRootCertificate Active first, and wait until it is in use"
	case use.Signs && dropped:
		return fmt.Sprintf("the mesh's certificates are signed with this root until %s is in use: make it Passive until then", use.Successor)
	case dropped && time.Now().Before(use.Until):
		return fmt.Sprintf("there are certificates that were signed with this root, until %s: leave it Passive until then", until)
	}
	return ""
}
