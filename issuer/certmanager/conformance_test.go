package certmanager_test

import (
	"testing"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/issuertest"
)

func TestConformance(t *testing.T) {
	m := newMesh(t)
	issuertest.Conformance(t, func(t *testing.T) issuer.Issuer { return m.newIssuer(t, nil) }, issuertest.Options{})
	m.expectNothingLeft(t)
}
