// Package testkit has what tests of many packages do alike: a CA, a root with an end of its own, and waiting for what
// comes about by itself. What needs a Kubernetes is in package cluster. It may be used by the tests of all packages
// but, inside of them, by those of issuer/tresor and of what that imports.
package testkit

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/osm-edge/osm/issuer/tresor"
)

const (
	limit = time.Minute          // of a wait; a test that passes takes no such time
	retry = 5 * time.Millisecond // between two looks
)

// CA returns a CA with a new root of the mesh's own.
func CA(t testing.TB) *tresor.CA {
	t.Helper()
	root, key, err := tresor.NewRoot()
	if err != nil {
		t.Fatal(err)
	}
	ca, err := tresor.New(root, key)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// Root returns a self-signed CA certificate, under the name of the mesh's roots, that is valid at a time of the test's own.
func Root(t testing.TB, notBefore, notAfter time.Time) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "osm-ca.openservicemesh.io"}, NotBefore: notBefore, NotAfter: notAfter,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
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

// Context ends with the test, or after d.
func Context(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// Await returns when ready returns nil, and fails the test if that takes a minute.
func Await(t testing.TB, what string, ready func() error) {
	t.Helper()
	Within(t, limit, what, ready)
}

// Eventually is Await for what has no reason.
func Eventually(t testing.TB, what string, yes func() bool) {
	t.Helper()
	Within(t, limit, what, Unless(yes))
}

var errNotYet = errors.New("not yet")

// Unless has what is asked yes or no be waited for.
func Unless(yes func() bool) func() error {
	return func() error {
		if yes() {
			return nil
		}
		return errNotYet
	}
}

// Within is Await with a limit of the test's own.
func Within(t testing.TB, limit time.Duration, what string, ready func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(retry)
	defer tick.Stop()
	for err := ready(); err != nil; err = ready() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: not after %s: %v", what, limit, err)
		}
	}
}

// Condition is Await for what Kubernetes' clients tell, which may fail at once.
func Condition(t testing.TB, what string, done wait.ConditionWithContextFunc) {
	t.Helper()
	if err := wait.PollUntilContextCancel(Context(t, limit), retry*4, true, done); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}
