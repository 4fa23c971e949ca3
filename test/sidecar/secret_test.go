package sidecar

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

func issue(t *testing.T, ca *tresor.CA, account string) *issuer.Certificate {
	t.Helper()
	id, err := identity.New("cluster.local", "bookstore", account)
	if err != nil {
		t.Fatal(err)
	}
	req, err := issuer.NewServiceRequest(issuer.ECDSAP256, id)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := ca.Issue(t.Context(), req, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := req.Certificate(chain)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func inline(content []byte) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: content}}
}

func pair(chain, key []byte) *tlsv3.Secret {
	return &tlsv3.Secret{Name: "cert", Type: &tlsv3.Secret_TlsCertificate{
		TlsCertificate: &tlsv3.TlsCertificate{CertificateChain: inline(chain), PrivateKey: inline(key)},
	}}
}

func trust(roots []byte) *tlsv3.Secret {
	return &tlsv3.Secret{Name: "roots", Type: &tlsv3.Secret_ValidationContext{
		ValidationContext: &tlsv3.CertificateValidationContext{TrustedCa: inline(roots)},
	}}
}

func TestSecretsAreTakenWholeOrNotAtAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root, key, err := tresor.NewRoot()
		if err != nil {
			t.Fatal(err)
		}
		ca, err := tresor.New(root, key)
		if err != nil {
			t.Fatal(err)
		}
		old := issue(t, ca, "bookstore-v2")
		time.Sleep(2 * time.Hour)
		own, other := issue(t, ca, "bookstore-v2"), issue(t, ca, "bookstore-v1")
		roots := trustbundle.New(root).PEM()
		foreign := trust(nil)
		foreign.Name = "someone's"

		b := injector.Bootstrap{
			Identity: "spiffe://cluster.local/ns/bookstore/sa/bookstore-v2",
			SDS:      injector.SDS{Certificate: "cert", Validation: "roots"},
		}
		cases := []struct {
			name    string
			secrets []*tlsv3.Secret
			want    string // in the error
		}{
			{"both secrets", []*tlsv3.Secret{pair(own.ChainPEM(), own.KeyPEM()), trust(roots)}, ""},
			{"one of them", []*tlsv3.Secret{trust(roots)}, ""},
			{"one that was not asked for", []*tlsv3.Secret{foreign}, ""},
			{"a certificate of another account", []*tlsv3.Secret{pair(other.ChainPEM(), other.KeyPEM())}, "not for " + b.Identity},
			{"a key of another certificate", []*tlsv3.Secret{pair(own.ChainPEM(), other.KeyPEM())}, "private key"},
			{"an expired certificate", []*tlsv3.Secret{pair(old.ChainPEM(), old.KeyPEM())}, "expired"},
			{"a CA certificate", []*tlsv3.Secret{pair(roots, own.KeyPEM())}, "private key"},
			{"no certificate", []*tlsv3.Secret{{Name: "cert"}}, "no certificate"},
			{"an empty bundle", []*tlsv3.Secret{pair(own.ChainPEM(), own.KeyPEM()), trust(nil)}, "no certificate"},
			{"a bundle of leaves", []*tlsv3.Secret{trust(own.ChainPEM())}, "not a CA"},
		}
		for _, tc := range cases {
			var resources []*anypb.Any
			for _, secret := range tc.secrets {
				resource, err := anypb.New(secret)
				if err != nil {
					t.Fatal(err)
				}
				resources = append(resources, resource)
			}
			state, err := State{}.with(b, resources)
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("%s: %v", tc.name, err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("%s: %v, want an error with %q", tc.name, err, tc.want)
			case err != nil && (state.certificate != nil || !state.bundle.IsEmpty()):
				t.Errorf("%s: took part of it", tc.name)
			}
		}
		if _, err := (State{}).with(b, []*anypb.Any{{TypeUrl: "type.googleapis.com/other"}}); err == nil {
			t.Error("took a resource of another type")
		}
	})
}
