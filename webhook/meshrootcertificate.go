package webhook

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

func (v *Validator) meshRootCertificate(ctx context.Context, r *review, verdict *verdict) error {
	if r.settled {
		return nil
	}
	if r.root != nil {
		verdict.refuse(r.misfits...)
		rootSpec(r.root.Spec, verdict)
	}
	if r.root != nil && r.oldRoot != nil {
		unchanged(r.root.Spec, r.oldRoot.Spec, verdict)
	}
	if r.oldRoot != nil {
		return v.retirement(ctx, r.oldRoot, r.root, verdict)
	}
	return nil
}

func rootSpec(spec v1.MeshRootCertificateSpec, verdict *verdict) {
	path := field.NewPath("spec")
	if domain := spec.TrustDomain; domain != "" && identity.CheckTrustDomain(domain) != nil {
		verdict.refuse(field.Invalid(path.Child("trustDomain"), domain,
			"not a SPIFFE trust domain: use lower-case letters, digits, dots, dashes and underscores, such as cluster.local"))
	}
	verdict.refuse(oneOf(path.Child("role"), spec.Role, v1.Active, v1.Passive, v1.Inactive, v1.Revoked)...)
	provider(path.Child("provider"), spec.Provider, verdict)
}

// unchanged refuses to make an object stand for another root. Its certificates
// would be gone from the trust of the mesh before any proxy had those of the
// other: two objects can be trusted side by side.
func unchanged(spec, old v1.MeshRootCertificateSpec, verdict *verdict) {
	path := field.NewPath("spec")
	if old.TrustDomain != "" && spec.TrustDomain != old.TrustDomain {
		verdict.refuse(field.Invalid(path.Child("trustDomain"), spec.TrustDomain,
			"it can't be changed: make another MeshRootCertificate"))
	}
	is, was := chosen(spec.Provider), chosen(old.Provider)
	if len(is) == 1 && len(was) == 1 && is[0] != was[0] {
		verdict.refuse(field.Forbidden(path.Child("provider"),
			fmt.Sprintf("is %s and can't become %s: make another MeshRootCertificate, and this one Passive when the other is in use", was[0], is[0])))
	}
}

// retirement refuses what would leave certificates without the root that they
// need. Nothing is asked unless the root is to be used less than it was.
func (v *Validator) retirement(ctx context.Context, old, root *v1.MeshRootCertificate, verdict *verdict) error {
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
		verdict.refuse(field.Forbidden(path, problem+"; the annotation "+v1.AnnotationForce+"=true does it nevertheless"))
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
