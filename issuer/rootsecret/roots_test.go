package rootsecret

import (
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer/trustbundle"
)

func TestRootsOfAnAuthorityOutsideAreCertificatesAndNothingElse(t *testing.T) {
	root, other := newRoot(t), newRoot(t)
	rootPEM, otherPEM := dataOf(t, root)[CertificateKey], dataOf(t, other)[CertificateKey]
	expiration := dataOf(t, root)[ExpirationKey]
	expired := dataOf(t, rootOf(t, newECKey(t), func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Second) }))[CertificateKey]
	intermediate := dataOf(t, intermediateOf(t, root))[CertificateKey]
	tests := map[string]struct {
		data  map[string][]byte
		roots int
		key   string
		want  string
	}{
		"a root":                          {map[string][]byte{CertificateKey: rootPEM}, 1, "", ""},
		"a root and its expiration":       {map[string][]byte{CertificateKey: rootPEM, ExpirationKey: expiration}, 1, "", ""},
		"a root twice, with text":         {map[string][]byte{CertificateKey: slices.Concat([]byte("# root\r\n"), rootPEM, rootPEM), ExpirationKey: append(expiration, '\n')}, 1, "", ""},
		"the roots of a change":           {map[string][]byte{CertificateKey: slices.Concat(otherPEM, rootPEM), ExpirationKey: expiration}, 2, "", ""},
		"no data":                         {nil, 0, CertificateKey, "missing or empty"},
		"an empty root":                   {map[string][]byte{CertificateKey: {}}, 0, CertificateKey, "missing or empty"},
		"a root that is cut off":          {map[string][]byte{CertificateKey: rootPEM[:200]}, 0, CertificateKey, "not PEM"},
		"the DER of a root":               {map[string][]byte{CertificateKey: root.Certificate.Raw}, 0, CertificateKey, "not PEM"},
		"an intermediate":                 {map[string][]byte{CertificateKey: intermediate}, 0, CertificateKey, "not a root: it is issued by"},
		"an expired root alone":           {map[string][]byte{CertificateKey: expired}, 0, CertificateKey, "expired at"},
		"what are no roots":               {map[string][]byte{CertificateKey: slices.Concat(expired, intermediate)}, 0, CertificateKey, "expired at"},
		"more roots than a change needs":  {map[string][]byte{CertificateKey: manyRoots(t)}, 0, CertificateKey, "more than 8"},
		"the private key beside the root": {dataOf(t, root), 0, PrivateKeyKey, "does not belong there"},
		"the private key in its place":    {map[string][]byte{CertificateKey: dataOf(t, root)[PrivateKeyKey]}, 0, CertificateKey, `of type "PRIVATE KEY"`},
		"another expiration":              {map[string][]byte{CertificateKey: rootPEM, ExpirationKey: []byte("2020-01-11T23:15:09.299Z")}, 0, ExpirationKey, "it is 2020-01-11"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			roots, err := ParseRoots(secretOf(test.data), "cluster.local", time.Now())
			if test.want == "" {
				if err != nil || len(roots.Roots()) != test.roots {
					t.Errorf("%v, error %v", roots, err)
				}
				return
			}
			var refused *RefusedError
			if !errors.As(err, &refused) || refused.Key != test.key || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v, want key %s and %q", err, test.key, test.want)
			}
			mustHoldNoKey(t, err.Error(), test.data)
		})
	}
}

func TestWhatIsNoRootIsLeftOutWhileAnotherIsRight(t *testing.T) {
	root, key := newRoot(t), newECKey(t)
	rootPEM := dataOf(t, root)[CertificateKey]
	expired := rootOf(t, key, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Second) })
	tests := map[string]struct {
		other Root
		want  string
	}{
		"one that has expired":          {expired, "expired at"},
		"one that is not valid yet":     {rootOf(t, key, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }), "not valid before"},
		"an intermediate":               {intermediateOf(t, root), "not a root: it is issued by"},
		"a leaf":                        {rootOf(t, key, func(c *x509.Certificate) { c.IsCA = false }), "not a CA certificate"},
		"one that forbids mesh's names": {rootOf(t, key, func(c *x509.Certificate) { c.PermittedURIDomains = []string{"example.com"} }), "forbid the URIs spiffe://cluster.local"},
		"one for servers alone":         {rootOf(t, key, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), "client authentication"},
		"one that an expiration is for": {expired, "expired at"},
	}
	for name, test := range tests {
		for order, data := range map[string][]byte{
			"before": slices.Concat(dataOf(t, test.other)[CertificateKey], rootPEM), "after": slices.Concat(rootPEM, dataOf(t, test.other)[CertificateKey]),
		} {
			t.Run(name+", "+order, func(t *testing.T) {
				held := map[string][]byte{CertificateKey: data}
				if strings.Contains(name, "expiration") {
					held[ExpirationKey] = dataOf(t, test.other)[ExpirationKey]
				}
				roots, err := ParseRoots(secretOf(held), "cluster.local", time.Now())
				if err != nil || !roots.Equal(trustbundle.New(root.Certificate)) || len(roots.LeftOut) != 1 {
					t.Fatalf("%v, error %v", roots, err)
				}
				if left := roots.LeftOut[0]; !left.Certificate.Equal(test.other.Certificate) || !strings.Contains(left.Reason.Error(), test.want) {
					t.Errorf("left out for %q, want %q", left.Reason, test.want)
				}
			})
		}
	}
}

func TestAMissingSecretSaysHowToCreateIt(t *testing.T) {
	const want = "kubectl create secret generic osm-ca-bundle -n osm-system --from-file=ca.crt"
	if err := Missing("osm-system", "osm-ca-bundle"); !strings.Contains(err.Error(), want) {
		t.Errorf("error %q lacks %q", err, want)
	}
}

func TestAnImmutableSecretIsToBeDeletedFirst(t *testing.T) {
	secret := secretOf(map[string][]byte{CertificateKey: []byte("-")})
	secret.Immutable = new(true)
	const want = "delete it, for it is immutable, and create it from the root certificate that the issuer's chains end with: " +
		"kubectl delete secret osm-ca-bundle -n osm-system && kubectl create secret generic osm-ca-bundle -n osm-system --from-file=ca.crt"
	if _, err := ParseRoots(secret, "", time.Now()); err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
}

func manyRoots(t *testing.T) (all []byte) {
	for range maxRoots + 1 {
		all = append(all, dataOf(t, newRoot(t))[CertificateKey]...)
	}
	return all
}
