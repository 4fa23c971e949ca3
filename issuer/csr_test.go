package issuer

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"strings"
	"testing"

	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/manifests/mesh"
)

func TestARequestIsEncodedAsTheStandardLibraryDoes(t *testing.T) {
	for _, account := range []string{"bookstore", strings.Repeat("b", 63)} { // the longer one has no common name
		for _, algorithm := range mesh.KeyAlgorithms() {
			t.Run(string(algorithm)+" "+account, func(t *testing.T) {
				id, err := identity.New("cluster.local", "bookstore", account)
				if err != nil {
					t.Fatal(err)
				}
				service, err := NewServiceRequest(algorithm, id)
				if err != nil {
					t.Fatal(err)
				}
				serving, err := NewServingRequest(algorithm, "osm-injector.osm-system.svc")
				if err != nil {
					t.Fatal(err)
				}
				checkEncoding(t, service)
				checkEncoding(t, serving)
			})
		}
	}
}

func checkEncoding(t *testing.T, r *Request) {
	t.Helper()
	der, err := r.CSR()
	if err != nil {
		t.Fatal(err)
	}
	got, err := x509.ParseCertificateRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	if err := got.CheckSignature(); err != nil {
		t.Error(err)
	}
	template := &x509.CertificateRequest{Subject: r.Subject(), DNSNames: r.dnsNames, URIs: r.uris}
	der, err = x509.CreateCertificateRequest(rand.Reader, template, r.key)
	if err != nil {
		t.Fatal(err)
	}
	want, err := x509.ParseCertificateRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.RawTBSCertificateRequest, want.RawTBSCertificateRequest) || got.SignatureAlgorithm != want.SignatureAlgorithm {
		t.Errorf("%s is encoded as\n%x\nand not\n%x", r, got.Raw, want.Raw)
	}
}
