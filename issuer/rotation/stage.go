package rotation

import (
	"crypto/x509"
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

	switch {
	case !s.Until(root).IsZero():
		return Retiring
	case s.Distributing().Contains(root):
		return Distributing
	case s.Signing().Contains(root):
		return Signing
	}
	return Trusted
}
