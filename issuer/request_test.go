package issuer_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"log/slog"
	"math/big"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/manifests/mesh"
	"github.com/osm-edge/osm/test/testkit"
)

var keyAlgorithms = mesh.KeyAlgorithms()

func TestEveryKeyAlgorithmMakesItsKindOfKey(t *testing.T) {
	for _, algorithm := range keyAlgorithms {
		t.Run(string(algorithm), func(t *testing.T) {
			req, err := issuer.NewServiceRequest(algorithm, identityOf(t, "bookstore-v1"))
			if err != nil {
				t.Fatal(err)
			}
			if got := kindOf(req.PublicKey()); got != string(algorithm) {
				t.Errorf("the key is %s", got)
			}
			csr := csrOf(t, req)
			if got := kindOf(csr.PublicKey); got != string(algorithm) {
				t.Errorf("the key of the CSR is %s", got)
			}
		})
	}
}

func kindOf(key any) string {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P256() {
			return "ecdsa-p256"
		}
	case *rsa.PublicKey:
		return fmt.Sprintf("rsa-%d", key.N.BitLen())
	case ed25519.PublicKey:
		return "ed25519"
	}
	return fmt.Sprintf("%T", key)
}

func csrOf(t *testing.T, req *issuer.Request) *x509.CertificateRequest {
	t.Helper()
	der, err := req.CSR()
	if err != nil {
		t.Fatal(err)
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	if err := csr.CheckSignature(); err != nil {
		t.Fatal(err)
	}
	return csr
}

func TestKeyAlgorithmsAreChosenByName(t *testing.T) {
	for _, want := range keyAlgorithms {
		if got, err := issuer.ParseKeyAlgorithm(string(want)); err != nil || got != want {
			t.Errorf("%q is %q, %v", want, got, err)
		}
	}
	for _, name := range []string{"", "rsa", "RSA-2048", "rsa-1024", "ecdsa-p384", " ed25519"} {
		_, err := issuer.ParseKeyAlgorithm(name)
		want := fmt.Sprintf("key algorithm %q is not one of ecdsa-p256, rsa-2048, rsa-3072, rsa-4096, ed25519", name)
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
		if _, err := issuer.NewServiceRequest(issuer.KeyAlgorithm(name), identityOf(t, "a")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestARequestHasExactlyTheNamesOfWhatItIsFor(t *testing.T) {
	long := strings.Repeat("a", 100)
	both := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	tests := map[string]struct {
		make            func() (*issuer.Request, error)
		commonName, dns string
		uris            []string
		usages          []x509.ExtKeyUsage
	}{
		"a workload": {service(t, "bookstore-v1"), "bookstore-v1.bookstore.cluster.local", "bookstore-v1.bookstore.cluster.local",
			[]string{"spiffe://cluster.local/ns/bookstore/sa/bookstore-v1"}, both},
		"a workload of a long name": {service(t, long), "", long + ".bookstore.cluster.local",
			[]string{"spiffe://cluster.local/ns/bookstore/sa/" + long}, both},
		"a name of 64 octets": {service(t, long[:40]), long[:40] + ".bookstore.cluster.local", long[:40] + ".bookstore.cluster.local",
			[]string{"spiffe://cluster.local/ns/bookstore/sa/" + long[:40]}, both},
		"a name of 65 octets": {service(t, long[:41]), "", long[:41] + ".bookstore.cluster.local",
			[]string{"spiffe://cluster.local/ns/bookstore/sa/" + long[:41]}, both},
		"a webhook": {func() (*issuer.Request, error) {
			return issuer.NewServingRequest(issuer.DefaultKeyAlgorithm, "osm-injector.osm-system.svc")
		}, "osm-injector.osm-system.svc", "osm-injector.osm-system.svc", nil, both[:1]},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			req, err := test.make()
			if err != nil {
				t.Fatal(err)
			}
			csr := csrOf(t, req)
			if csr.Subject.CommonName != test.commonName || req.Subject().CommonName != test.commonName {
				t.Errorf("common name %q, of the CSR %q, want %q", req.Subject().CommonName, csr.Subject.CommonName, test.commonName)
			}
			if n := len(csr.Subject.Names); n > 1 {
				t.Errorf("the subject of the CSR has %d parts", n)
			}
			for _, dns := range [][]string{csr.DNSNames, req.DNSNames()} {
				if diff := cmp.Diff([]string{test.dns}, dns); diff != "" {
					t.Error("DNS names:", diff)
				}
			}
			for _, uris := range [][]*url.URL{csr.URIs, req.URIs()} {
				if diff := cmp.Diff(test.uris, texts(uris)); diff != "" {
					t.Error("URIs:", diff)
				}
			}
			if len(csr.IPAddresses)+len(csr.EmailAddresses) > 0 || len(csr.Extensions) != 1 {
				t.Errorf("the CSR asks for more than SANs: %v", csr.Extensions)
			}
			if !slices.Equal(req.Usages(), test.usages) {
				t.Errorf("usages %v, want %v", req.Usages(), test.usages)
			}
		})
	}
}

func service(t *testing.T, serviceAccount string) func() (*issuer.Request, error) {
	return func() (*issuer.Request, error) {
		return issuer.NewServiceRequest(issuer.DefaultKeyAlgorithm, identityOf(t, serviceAccount))
	}
}

func texts(uris []*url.URL) (texts []string) {
	for _, uri := range uris {
		texts = append(texts, uri.String())
	}
	return texts
}

func TestNoKeyIsEverPrinted(t *testing.T) {
	m := newManager(t, issuer.Options{}, signs("a", testkit.CA(t)))
	cert, err := m.IssueCertificate(t.Context(), identityOf(t, "bookstore-v1"))
	if err != nil {
		t.Fatal(err)
	}
	req, err := service(t, "bookstore-v1")()
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("json", "certificate", cert, "request", req)
	slog.New(slog.NewTextHandler(&log, nil)).Info("text", "certificate", cert, "request", req)
	fmt.Fprintf(&log, "%v %+v %s %v %+v %s %v", cert, cert, cert, req, req, req, issuer.Update{Certificate: cert})

	raw, err := cert.TLS().PrivateKey.(*ecdsa.PrivateKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	secret := new(big.Int).SetBytes(raw).String() // as fmt would print the key
	keyPEM := strings.Split(string(cert.KeyPEM()), "\n")[1]
	for _, leak := range []string{secret, keyPEM, "PRIVATE KEY", "PrivateKey"} {
		if strings.Contains(log.String(), leak) {
			t.Errorf("%q is in %s", leak, &log)
		}
	}
	if !strings.Contains(log.String(), "bookstore-v1.bookstore.cluster.local") {
		t.Errorf("the certificate is not named in %s", &log)
	}
}
