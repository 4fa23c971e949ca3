package issuertest

import (
	"testing"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

// Trust has a Manager sign with an authority, or with none if that is nil, and
// trust its roots and those of others.
func Trust(t testing.TB, m *issuer.Manager, name string, signer issuer.Issuer, others ...issuer.Issuer) {
	t.Helper()
	var s issuer.Signer
	var bundle trustbundle.TrustBundle
	if signer != nil {
		s = issuer.Signer{Name: name, Issuer: signer, Roots: rootsOf(t, signer)}
		bundle = s.Roots
	}
	for _, other := range others {
		bundle = bundle.Union(rootsOf(t, other))
	}
	if err := m.SetTrust(bundle, s); err != nil {
		t.Fatal(err)
	}
}

func rootsOf(t testing.TB, i issuer.Issuer) trustbundle.TrustBundle {
	t.Helper()
	roots, err := i.Roots(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return roots
}
