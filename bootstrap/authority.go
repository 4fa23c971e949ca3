package bootstrap

import (
	"slices"

	"github.com/osm-edge/osm/manifests/crd/v1"
)

// authorities is what the steps have to know of the MeshRootCertificates.
type authorities struct {
	// signing is the authority that signs. Nothing of it is set when none does.
	signing v1.Provider
	// tresor names the Secrets with roots of the built-in authority that are
	// signed with or trusted.
	tresor []string
	// trustDomain is that of the root that signs, empty if its object has none.
	trustDomain string
	// revoked names the Secrets with roots of it that are no longer trusted.
	revoked []string
}

// authoritiesOf finds the root that signs, and the Secrets, those of the newest
// objects first.
func authoritiesOf(roots []v1.MeshRootCertificate) authorities {
	newest := slices.SortedFunc(slices.Values(roots), func(a, b v1.MeshRootCertificate) int { return v1.ByAge(&a, &b) })
	var found authorities
	if signer := v1.NewestActive(roots); signer != nil {
		found.signing, found.trustDomain = signer.Spec.Provider, signer.Spec.TrustDomain
	}
	for _, root := range newest {
		if tresor := root.Spec.Provider.Tresor; tresor != nil {
			found.add(root.Spec.Role, tresor.SecretRef.Name)
		}
	}
	return found
}

func (a *authorities) add(role v1.Role, secret string) {
	switch {
	case role == v1.Revoked:
		a.revoked = append(a.revoked, secret)
	case role.Used() && !slices.Contains(a.tresor, secret):
		a.tresor = append(a.tresor, secret)
	}
}
