package replica

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"log/slog"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

const (
	namespace = "osm-system"
	clockSkew = 5 * time.Minute
)

// ca is a root that can sign.
type ca struct {
	*tresor.CA
	bundle trustbundle.TrustBundle
	key    crypto.Signer
	sharp  bool // certificates begin when they are issued
}

// Issue implements issuer.Issuer.
func (c ca) Issue(ctx context.Context, req *issuer.Request, ttl time.Duration) ([]*x509.Certificate, error) {
	chain, err := c.CA.Issue(ctx, req, ttl)
	if err != nil || !c.sharp {
		return chain, err
	}
	template := *chain[0]
	template.NotBefore = time.Now()
	der, err := x509.CreateCertificate(rand.Reader, &template, c.Root(), req.PublicKey(), c.key)
	if err != nil {
		return nil, err
	}
	chain[0], err = x509.ParseCertificate(der)
	return chain, err
}

func newSharpCA(t *testing.T) ca {
	t.Helper()
	c := newCA(t)
	c.sharp = true
	return c
}

func newCA(t *testing.T) ca {
	t.Helper()
	root, key, err := tresor.NewRoot()
	must(t, err)
	c, err := tresor.New(root, key)
	must(t, err)
	return ca{CA: c, bundle: trustbundle.New(root), key: key}
}

func (c ca) wanted(name string) rotation.Wanted {
	return rotation.Wanted{Signer: c.bundle, Trusted: map[string]trustbundle.TrustBundle{name: c.bundle}}
}

// mesh is what a Serving depends on.
type mesh struct {
	client  kubernetes.Interface
	manager *issuer.Manager
	self    identity.Identity

	mu      sync.Mutex
	state   rotation.State
	serving *Serving // the one that runs
}

func newMesh(t *testing.T) *mesh {
	t.Helper()
	self, err := identity.New("cluster.local", namespace, "osm-controller")
	must(t, err)
	logger := slog.New(slog.DiscardHandler)
	return &mesh{client: fake.NewClientset(), manager: issuer.NewManager(issuer.Options{Logger: logger}), self: self}
}

// record takes in what is wanted as proxies do that acknowledge at once.
func (m *mesh) record(w rotation.Wanted) rotation.State {
	m.mu.Lock()
	defer m.mu.Unlock()
	for range 2 { // distributed, and then signed with
		m.state = m.state.Next(w, rotation.Situation{Now: time.Now(), Acknowledged: true, AckTimeout: time.Minute, RetirementPeriod: 24 * time.Hour})
	}
	return m.state
}

func (m *mesh) recorded() (rotation.State, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state, !m.state.Bundle().IsEmpty()
}

// sign replaces the root that signs.
func (m *mesh) sign(t *testing.T, c ca) {
	t.Helper()
	m.take(t, c, c.wanted("root"))
}

// revoke distrusts every other root.
func (m *mesh) revoke(t *testing.T, c ca) {
	t.Helper()
	w := c.wanted("other")
	w.Revoked = []string{"root"}
	m.take(t, c, w)
}

func (m *mesh) take(t *testing.T, c ca, w rotation.Wanted) {
	t.Helper()
	state := m.record(w)
	must(t, m.manager.SetTrust(state.Bundle(), issuer.Signer{Name: "root", Issuer: c, Roots: c.bundle}))
	if m.serving != nil {
		m.serving.Look()
	}
}

// start runs a Serving until the test ends, or end is called.
func (m *mesh) start(t *testing.T) (end func()) {
	t.Helper()
	m.serving = NewServing(Serving{
		Secrets: m.client.CoreV1(), Namespace: namespace, Labels: map[string]string{"app": "osm"}, Manager: m.manager, Self: m.self,
		State: m.recorded, ClockSkew: clockSkew, Logger: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func(s *Serving) {
		defer close(ended)
		s.Run(ctx)
	}(m.serving)
	end = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	t.Cleanup(end)
	return end
}

// served returns the certificate that the replicas serve SDS with.
func (m *mesh) served(t *testing.T) *x509.Certificate {
	t.Helper()
	secret, err := m.client.CoreV1().Secrets(namespace).Get(t.Context(), ServingSecret, metav1.GetOptions{})
	must(t, err)
	certificates, err := trustbundle.ParseCertificates(secret.Data[corev1.TLSCertKey])
	must(t, err)
	return certificates[0]
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
