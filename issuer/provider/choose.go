package provider

import (
	"crypto/x509"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/trust"
)

// root is a MeshRootCertificate with what is known of its authority.
type root struct {
	object    *v1.MeshRootCertificate
	authority *authority // nil if the object is not used
	state     *state
	refused   []*x509.Certificate // that the authority has beside its own and nobody trusts
}

func (r *root) used() bool { return r.object.Spec.Role.Used() }

func (r *root) canSign() bool { return r.state != nil && r.state.issuer != nil }

// is reports whether both are of one object.
func (r *root) is(other *root) bool { return other != nil && r.object.UID == other.object.UID }

// choose returns the root that is to sign: of the newest object that is Active
// and whose authority can, the roots being the newest first. An object whose
// authority was replaced by one that cannot goes on with the former one; so does
// the mesh, where no other can. It returns nil where none ever could.
func choose(roots []*root, former *root) *root {
	for _, r := range roots {
		switch {
		case r.object.Spec.Role != v1.Active:
		case r.canSign():
			return r
		case r.is(former):
			return former
		}
	}
	return former
}

// wanted returns what the mesh is to come to. A root that is Revoked and chosen
// nevertheless is the only one there is.
func wanted(roots []*root, chosen *root) trust.Wanted {
	w := trust.Wanted{
		Signer:  chosen.state.roots,
		Trusted: map[string]issuer.TrustBundle{chosen.object.Name: chosen.state.roots},
	}
	for _, r := range roots {
		name := r.object.Name
		switch {
		case r.used() && !r.state.roots.IsEmpty():
			w.Trusted[name] = w.Trusted[name].Union(r.state.roots)
		case r.object.Spec.Role == v1.Revoked && !r.is(chosen):
			w.Revoked = append(w.Revoked, name)
		}
	}
	return w
}
