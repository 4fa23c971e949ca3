package tresor_test

import (
	"testing"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/issuertest"
	"github.com/osm-edge/osm/test/testkit"
)

func TestConformance(t *testing.T) {
	newIssuer := func(t *testing.T) issuer.Issuer { return testkit.CA(t) }
	issuertest.Conformance(t, newIssuer, issuertest.Options{
		Backdate:      issuer.ClockSkew,
		KeyAlgorithms: []issuer.KeyAlgorithm{issuer.ECDSAP256, issuer.RSA2048, issuer.RSA3072, issuer.RSA4096, issuer.Ed25519},
	})
}
