package tresor_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"math/big"
	"testing"
	"testing/synctest"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/test/testkit"
)

func TestANewRootIsWhatUsersKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root, key := newRoot(t)
		if err := issuer.CheckRoot(root, time.Now()); err != nil {
			t.Error(err)
		}
		if root.Subject.CommonName != "osm-ca.openservicemesh.io" {
			t.Errorf("common name %q", root.Subject.CommonName)
		}
		if !tresor.IsOwn(root) {
			t.Error("it does not know itself")
		}
		if want := time.Now().Add(87600 * time.Hour); !root.NotAfter.Equal(want) {
			t.Errorf("valid until %s, want %s", root.NotAfter, want)
		}
		if want := time.Now().Add(-5 * time.Minute); !root.NotBefore.Equal(want) {
			t.Errorf("valid from %s, want %s", root.NotBefore, want)
		}
		if root.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign || len(root.ExtKeyUsage) > 0 {
			t.Errorf("key usage %b, extended %v", root.KeyUsage, root.ExtKeyUsage)
		}
		if ec, ok := key.Public().(*ecdsa.PublicKey); !ok || ec.Curve != elliptic.P256() {
			t.Errorf("the key is %T", key.Public())
		}
	})
}

// More than a hundred roots of one name break verification in Go.
func TestEveryRootHasASubjectAndKeyIDOfItsOwn(t *testing.T) {
	const roots = 150
	bundle := trustbundle.TrustBundle{}
	subjects, keys := map[string]bool{}, map[string]bool{}
	var last *tresor.CA
	for range roots {
		last = testkit.CA(t)
		root := last.Root()
		subjects[string(root.RawSubject)], keys[string(root.SubjectKeyId)] = true, true
		if len(root.SubjectKeyId) == 0 || bytes.Equal(root.SubjectKeyId, root.SerialNumber.Bytes()) {
			t.Errorf("key id %x", root.SubjectKeyId)
		}
		bundle = bundle.Union(trustbundle.New(root))
	}
	if len(subjects) != roots || len(keys) != roots {
		t.Errorf("%d roots have %d subjects and %d key ids", roots, len(subjects), len(keys))
	}
	leaf := issue(t, last, issuer.ECDSAP256, time.Hour)
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: bundle.Pool()}); err != nil {
		t.Errorf("among %d roots a leaf does not verify: %v", roots, err)
	}
}

func newRoot(t *testing.T) (*x509.Certificate, crypto.Signer) {
	t.Helper()
	root, key, err := tresor.NewRoot()
	if err != nil {
		t.Fatal(err)
	}
	return root, key
}

func TestARootOfAnotherIsNotTakenForAnOwn(t *testing.T) {
	own, _ := newRoot(t)
	for name, change := range map[string]func(*x509.Certificate){
		"another name":                func(c *x509.Certificate) { c.Subject.CommonName = "corporate" },
		"the name alone, as OSM made": func(c *x509.Certificate) { c.Subject.SerialNumber = "" },
		"another serial number":       func(c *x509.Certificate) { c.SerialNumber = big.NewInt(1) },
	} {
		t.Run(name, func(t *testing.T) {
			other := *own
			change(&other)
			if tresor.IsOwn(&other) {
				t.Error("it is taken")
			}
		})
	}
}
