package main

import (
	"strings"
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/test/testkit"
)

func TestAHandshakeFailsWhereOneSideMustRefuse(t *testing.T) {
	one, other := testkit.CA(t), testkit.CA(t)
	both := bundleOf(t, one).Union(bundleOf(t, other))
	tests := map[string]struct {
		client, server *view
		want           string // of the error; none when empty
	}{
		"both know both roots":                 {viewOf(t, "buyer", one, both), viewOf(t, "store", other, both), ""},
		"the client knows one root alone":      {viewOf(t, "buyer", one, bundleOf(t, one)), viewOf(t, "store", other, both), "client's handshake: tls: failed to verify certificate"},
		"the server knows one root alone":      {viewOf(t, "buyer", one, both), viewOf(t, "store", other, bundleOf(t, other)), "server's handshake: tls: failed to verify certificate"},
		"the client has another's certificate": {as(t, "guest", viewOf(t, "buyer", one, both)), viewOf(t, "store", one, both), "the peer is"},
		"the server has another's certificate": {viewOf(t, "buyer", one, both), as(t, "bank", viewOf(t, "store", one, both)), "certificate is valid for store"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := shakeHands(test.client, test.server)
			if test.want == "" && err != nil {
				t.Fatal(err)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

func bundleOf(t *testing.T, ca *tresor.CA) trustbundle.TrustBundle {
	t.Helper()
	bundle, err := ca.Roots(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return bundle
}

func identityOf(t *testing.T, account string) identity.Identity {
	t.Helper()
	id, err := identity.New(trustDomain, "shop", account)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// viewOf is that of a proxy with a certificate of the CA.
func viewOf(t *testing.T, account string, ca *tresor.CA, bundle trustbundle.TrustBundle) *view {
	t.Helper()
	request, err := issuer.NewServiceRequest(issuer.DefaultKeyAlgorithm, identityOf(t, account))
	if err != nil {
		t.Fatal(err)
	}
	chain, err := ca.Issue(t.Context(), request, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := request.Certificate(chain)
	if err != nil {
		t.Fatal(err)
	}
	return &view{&proxy{identity: identityOf(t, account)}, certificate.TLS(), bundle, bundle.Pool()}
}

// as makes it that of another's proxy.
func as(t *testing.T, account string, v *view) *view {
	t.Helper()
	return &view{&proxy{identity: identityOf(t, account)}, v.certificate, v.bundle, v.pool}
}
