package provider

import (
	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

// root is a MeshRootCertificate with what is known of its authority.
type root struct {
	object    *v1.MeshRootCertificate
	authority *authority // nil if the object is Inactive
	state     *state
}

func (r *root) used() bool { return r.object.Spec.Role != v1.Inactive }

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

// current returns all roots that are to be trusted for now.
func current(roots []*root, signer *root) issuer.TrustBundle {
	bundle := signer.state.roots
	for _, r := range roots {
		if r.used() {
			bundle = bundle.Union(r.state.roots)
		}
	}
	return bundle
}
