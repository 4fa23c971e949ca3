package provider

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"

	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/issuer/trustbundle"
	v1 "github.com/osm-edge/osm/manifests/crd/v1"
)

// root is a MeshRootCertificate with what is known of its authority.
type root struct {
	object    *v1.MeshRootCertificate
	authority *authority // nil if the object is not used
	state     *state
	refused   []*x509.Certificate // that the authority has beside its own, and no one trusts
}

func (r *root) used() bool { return r.object.Spec.Role.Used() }

func (r *root) canSign() bool { return r.state != nil && r.state.issuer != nil }

// is reports whether both are of one object.
func (r *root) is(other *root) bool { return other != nil && r.object.UID == other.object.UID }

// choose returns the root that is to sign: of the newest object that is Active
// and whose authority can, as a trial shows, the roots being the newest first. An
// object whose authority was replaced by one that cannot goes on with the former
// one; so does the mesh, where no other can. It returns nil where none ever could.
// The error is why the newest that was tried failed, whatever signs instead.
func (p *Provider) choose(ctx context.Context, roots []*root, recorded rotation.State) (chosen *root, failure error) {
	for _, r := range roots {
		if r.object.Spec.Role != v1.Active {
			continue
		}
		if r.canSign() {
			err := p.try(ctx, r, recorded)
			if err == nil {
				return r, failure
			}
			if failure == nil {
				failure = fmt.Errorf("MeshRootCertificate %s does not sign yet: %w", r.object.Name, err)
			}
		}
		if r.is(p.signer) {
			break
		}
	}
	return p.signer, failure
}

// wanted returns what the mesh is to come to. Roots that are recorded for an object
// stay while its own are not known, as after a start while its authority is away.
// A root that is Revoked and chosen nevertheless is the only one there is.
func wanted(roots []*root, chosen *root, recorded rotation.State) rotation.Wanted {
	w := rotation.Wanted{
		Signer:  chosen.state.roots,
		Trusted: map[string]trustbundle.TrustBundle{chosen.object.Name: chosen.state.roots},
	}
	for _, r := range roots {
		name := r.object.Name
		switch {
		case r.used() && !r.state.roots.IsEmpty():
			w.Trusted[name] = w.Trusted[name].Union(r.state.roots)
		case r.used() && !r.is(chosen):
			if known := recordedFor(name, recorded); !known.IsEmpty() {
				w.Trusted[name] = known
			}
		case r.object.Spec.Role == v1.Revoked && !r.is(chosen):
			w.Revoked = append(w.Revoked, name)
		}
	}
	return w
}

// recordedFor returns the roots that stay trusted for an object.
func recordedFor(name string, recorded rotation.State) trustbundle.TrustBundle {
	return trustbundle.New(slices.DeleteFunc(recorded.Current().Roots(), func(root *x509.Certificate) bool {
		return recorded.Source(root) != name
	})...)
}
