package tresor_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/test/testkit"
)

func request(t *testing.T, algorithm issuer.KeyAlgorithm) *issuer.Request {
	t.Helper()
	id, err := identity.New("cluster.local", "bookstore", "bookstore-v2")
	if err != nil {
		t.Fatal(err)
	}
	req, err := issuer.NewServiceRequest(algorithm, id)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func issue(t *testing.T, ca *tresor.CA, algorithm issuer.KeyAlgorithm, ttl time.Duration) *x509.Certificate {
	t.Helper()
	chain, err := ca.Issue(t.Context(), request(t, algorithm), ttl)
	if err != nil {
		t.Fatal(err)
	}
	if len(chain) != 1 {
		t.Fatalf("the chain has %d certificates", len(chain))
	}
	return chain[0]
}

// selfSigned returns a root of an hour, as changed.
func selfSigned(t *testing.T, key crypto.Signer, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "root"},
		NotBefore:             time.Now().Add(-time.Minute),
		NotAfter:              time.Now().Add(time.Hour),
		KeyUsage:              x509.KeyUsageCertSign,
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func asIs(*x509.Certificate) {}

func TestALeafSaysNoMoreThanItIsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // in a bubble no time passes
		ca := testkit.CA(t)
		leaf := issue(t, ca, issuer.ECDSAP256, 24*time.Hour)
		if want := time.Now().Add(-5 * time.Minute); !leaf.NotBefore.Equal(want) {
			t.Errorf("valid from %s, want %s", leaf.NotBefore, want)
		}
		if want := time.Now().Add(24 * time.Hour); !leaf.NotAfter.Equal(want) {
			t.Errorf("valid until %s, want %s", leaf.NotAfter, want)
		}
		if leaf.KeyUsage != x509.KeyUsageDigitalSignature {
			t.Errorf("key usage %b", leaf.KeyUsage)
		}
		if want := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}; !slices.Equal(leaf.ExtKeyUsage, want) {
			t.Errorf("extended key usages %v, want %v", leaf.ExtKeyUsage, want)
		}
		if leaf.IsCA || !leaf.BasicConstraintsValid || len(leaf.UnknownExtKeyUsage) > 0 {
			t.Errorf("basic constraints: CA %v", leaf.IsCA)
		}
		if !slices.Equal(leaf.AuthorityKeyId, ca.Root().SubjectKeyId) || leaf.Issuer.String() != ca.Root().Subject.String() {
			t.Errorf("issued by %s with key %x", leaf.Issuer, leaf.AuthorityKeyId)
		}
		if usage := issue(t, ca, issuer.RSA2048, time.Hour).KeyUsage; usage != x509.KeyUsageDigitalSignature|x509.KeyUsageKeyEncipherment {
			t.Errorf("key usage %b of an RSA key", usage)
		}
	})
}

func TestRootsOfEveryKindSign(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.Signer{"P-384": p384, "RSA-2048": rsaKey, "Ed25519": edKey} {
		t.Run(name, func(t *testing.T) {
			ca, err := tresor.New(selfSigned(t, key, asIs), key)
			if err != nil {
				t.Fatal(err)
			}
			for _, algorithm := range []issuer.KeyAlgorithm{issuer.ECDSAP256, issuer.RSA2048, issuer.Ed25519} {
				leaf := issue(t, ca, algorithm, time.Minute)
				pool := x509.NewCertPool()
				pool.AddCert(ca.Root())
				if _, err := leaf.Verify(x509.VerifyOptions{Roots: pool}); err != nil {
					t.Errorf("a leaf with a key of %s: %v", algorithm, err)
				}
			}
		})
	}
}

func TestSerialNumbersAreUniqueAndOf128Bits(t *testing.T) {
	ca, seen, longest := testkit.CA(t), map[string]bool{}, 0
	for range 300 {
		serial := issue(t, ca, issuer.ECDSAP256, time.Hour).SerialNumber
		if seen[serial.String()] || serial.Sign() <= 0 {
			t.Fatalf("serial number %s", serial)
		}
		seen[serial.String()] = true
		longest = max(longest, serial.BitLen())
	}
	if longest < 120 || longest > 128 {
		t.Errorf("the longest serial number has %d bits", longest)
	}
}

func TestNoLeafOutlivesTheRoot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key, err := issuer.GenerateRootKey()
		if err != nil {
			t.Fatal(err)
		}
		root := selfSigned(t, key, asIs)
		ca, err := tresor.New(root, key)
		if err != nil {
			t.Fatal(err)
		}
		if leaf := issue(t, ca, issuer.ECDSAP256, 24*time.Hour); !leaf.NotAfter.Equal(root.NotAfter) {
			t.Errorf("valid until %s, the root until %s", leaf.NotAfter, root.NotAfter)
		}
		<-time.After(time.Hour)
		if _, err := ca.Issue(t.Context(), request(t, issuer.ECDSAP256), time.Hour); err == nil || !strings.Contains(err.Error(), "expired at") {
			t.Errorf("error %v of a root that expired", err)
		}
	})
}

func TestIssueRefusesWhatMakesNoSense(t *testing.T) {
	ca := testkit.CA(t)
	for _, ttl := range []time.Duration{0, -time.Second} {
		if _, err := ca.Issue(t.Context(), request(t, issuer.ECDSAP256), ttl); err == nil || !strings.Contains(err.Error(), "not positive") {
			t.Errorf("error %v for a lifetime of %s", err, ttl)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ca.Issue(ctx, request(t, issuer.ECDSAP256), time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v for a caller that gave up", err)
	}
}

func TestNewRefusesAPairThatCannotSign(t *testing.T) {
	key, err := issuer.GenerateRootKey()
	if err != nil {
		t.Fatal(err)
	}
	other, err := issuer.GenerateRootKey()
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		change func(*x509.Certificate)
		key    crypto.Signer
		want   string
	}{
		"another key":            {asIs, other, "not that of the root certificate"},
		"a key of another kind":  {asIs, ed, "not that of the root certificate"},
		"a leaf":                 {func(c *x509.Certificate) { c.IsCA = false }, key, "not a CA certificate"},
		"an expired certificate": {func(c *x509.Certificate) { c.NotAfter = time.Now() }, key, "expired at"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ca, err := tresor.New(selfSigned(t, key, test.change), test.key)
			if err == nil || !strings.Contains(err.Error(), test.want) || ca != nil {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}
