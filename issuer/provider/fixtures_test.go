package provider

import (
	"bytes"
	"context"
	"crypto/x509"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/issuer/tresor"
)

// mesh is a Tresor that runs, between an API server and a Manager. What is
// trusted is every root that was ever current, until forget.
type mesh struct {
	*Tresor
	client  *fake.Clientset
	manager *issuer.Manager
	logged  bytes.Buffer

	trusted atomic.Pointer[issuer.TrustBundle]
	failure atomic.Pointer[error] // of Trust
	asked   atomic.Int64          // how often Trust was called
}

// startMesh runs a Tresor until the test's end. It must be called in a bubble
// of synctest.
func startMesh(t *testing.T) *mesh {
	t.Helper()
	m := &mesh{client: fake.NewClientset()}
	logger := slog.New(slog.NewTextHandler(&m.logged, nil))
	m.manager = issuer.NewManager(issuer.Options{Logger: logger})
	m.forget()
	m.Tresor = NewTresor(TresorOptions{
		Client: m.client, Namespace: "osm-system", Secret: "osm-ca-bundle",
		Manager: m.manager, Trust: m.trust, Logger: logger,
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	synctest.Wait()
	return m
}

func (m *mesh) trust(_ context.Context, current issuer.TrustBundle) (issuer.TrustBundle, error) {
	m.asked.Add(1)
	if failure := m.failure.Load(); failure != nil {
		return issuer.TrustBundle{}, *failure
	}
	union := m.trusted.Load().Union(current)
	m.trusted.Store(&union)
	return union, nil
}

func (m *mesh) forget() { m.trusted.Store(&issuer.TrustBundle{}) }

// makeRoot has the mesh's Secret hold another root, and returns that.
func (m *mesh) makeRoot(t *testing.T) *x509.Certificate {
	t.Helper()
	store := rootsecret.Store{Secrets: m.client.CoreV1().Secrets("osm-system"), Name: "osm-ca-bundle"}
	root, err := store.Ensure(t.Context(), func() (rootsecret.Root, error) {
		cert, key, err := tresor.NewRoot()
		return rootsecret.Root{Certificate: cert, Key: key}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return root.Certificate
}

func (m *mesh) deleteSecret(t *testing.T) {
	t.Helper()
	if err := m.client.CoreV1().Secrets("osm-system").Delete(t.Context(), "osm-ca-bundle", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

// edit changes the Secret, and returns how it was.
func (m *mesh) edit(t *testing.T, change func(*corev1.Secret)) *corev1.Secret {
	t.Helper()
	secrets := m.client.CoreV1().Secrets("osm-system")
	before, err := secrets.Get(t.Context(), "osm-ca-bundle", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	after := before.DeepCopy()
	change(after)
	if _, err := secrets.Update(t.Context(), after, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return before
}

// mustSign fails unless the root signs, and these are trusted.
func (m *mesh) mustSign(t *testing.T, root *x509.Certificate, trusted ...*x509.Certificate) {
	t.Helper()
	if err := m.Ready(); err != nil {
		t.Errorf("not ready: %v", err)
	}
	id, err := issuer.NewIdentity("cluster.local", "bookstore", "bookstore-v2")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := m.manager.RotateCertificate(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if err := cert.Leaf().CheckSignatureFrom(root); err != nil {
		t.Errorf("another root signs: %v", err)
	}
	if want := issuer.NewTrustBundle(trusted...); !m.manager.Bundle().Equal(want) {
		t.Errorf("trusted is %s, want %s", m.manager.Bundle(), want)
	}
}
