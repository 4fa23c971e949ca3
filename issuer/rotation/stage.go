package rotation

import (
	"crypto/x509"
	"slices"

	"github.com/osm-edge/osm/issuer"
)

// Stage is what the mesh does with a root. Status, metrics and the dashboard have
// the same words for it.
type Stage string

// The stages of a root.
const (
	// Signing: certificates are signed with it.
	Signing Stage = "signing"
	// Distributing: it is trusted, and does not sign before every proxy trusts it.
	Distributing Stage = "distributing"
	// Trusted: it may sign, and another one does.
	Trusted Stage = "trusted"
	// Retiring: it was replaced, and is trusted until the last certificate that it
	// signed has ended.
	Retiring Stage = "retiring"
)

// Stage returns what the mesh does with a root of the Bundle.
func (s State) Stage(root *x509.Certificate) Stage {
	among := func(b issuer.TrustBundle) bool { return slices.ContainsFunc(b.Roots(), root.Equal) }
	switch {
	case !s.Until(root).IsZero():
		return Retiring
	case among(s.Distributing()):
		return Distributing
	case among(s.Signing()):
		return Signing
	}
	return Trusted
}
