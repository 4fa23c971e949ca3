package issuer_test

import (
	"context"
	"crypto/x509"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/issuertest"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/test/testkit"
)

// identityOf returns that of a service account in namespace bookstore.
func identityOf(t testing.TB, serviceAccount string) identity.Identity {
	t.Helper()
	id, err := identity.New("cluster.local", "bookstore", serviceAccount)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// fakeIssuer is a CA that a test can make fail, wait, or cut lifetimes.
type fakeIssuer struct {
	*tresor.CA
	asked  atomic.Int64
	before func(ctx context.Context) error // nil: nothing
	maxTTL time.Duration                   // 0: no bound
}

func newFake(t testing.TB) *fakeIssuer { return &fakeIssuer{CA: testkit.CA(t)} }

func (f *fakeIssuer) Issue(ctx context.Context, req *issuer.Request, ttl time.Duration) ([]*x509.Certificate, error) {
	f.asked.Add(1)
	if f.before != nil {
		if err := f.before(ctx); err != nil {
			return nil, err
		}
	}
	if f.maxTTL != 0 {
		ttl = min(ttl, f.maxTTL)
	}
	return f.CA.Issue(ctx, req, ttl)
}

// takes makes an issuer wait, unless its context ends before.
func takes(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// root is an authority that a Manager trusts and, if it has a name, signs with.
type root struct {
	name   string
	issuer issuer.Issuer
}

func signs(name string, i issuer.Issuer) root { return root{name, i} }

func trusts(i issuer.Issuer) root { return root{"", i} }

// newManager returns a Manager with these roots that does not run.
func newManager(t testing.TB, o issuer.Options, roots ...root) *issuer.Manager {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	m := issuer.NewManager(o)
	if len(roots) > 0 {
		setTrust(t, m, roots...)
	}
	return m
}

// startManager returns a Manager that runs until the test's end.
func startManager(t *testing.T, o issuer.Options, roots ...root) *issuer.Manager {
	t.Helper()
	m := newManager(t, o, roots...)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return m
}

func setTrust(t testing.TB, m *issuer.Manager, roots ...root) {
	t.Helper()
	var name string
	var signer issuer.Issuer
	var others []issuer.Issuer
	for _, r := range roots {
		if r.name == "" {
			others = append(others, r.issuer)
			continue
		}
		name, signer = r.name, r.issuer
	}
	issuertest.Trust(t, m, name, signer, others...)
}

// subscribe ends the subscription with the test.
func subscribe(t *testing.T, m *issuer.Manager, id identity.Identity) *issuer.Subscription {
	t.Helper()
	s := m.Subscribe(id)
	t.Cleanup(s.Close)
	return s
}

// receive returns the Update that is there once everything is quiet.
func receive(t *testing.T, s *issuer.Subscription) issuer.Update {
	t.Helper()
	synctest.Wait()
	select {
	case u := <-s.Updates():
		return u
	default:
		t.Fatal("no Update was announced")
		return issuer.Update{}
	}
}

func receiveNothing(t *testing.T, s *issuer.Subscription) {
	t.Helper()
	synctest.Wait()
	select {
	case u := <-s.Updates():
		t.Fatalf("an Update was announced: %+v", u)
	default:
	}
}

// pass lets time go by in the test's bubble, and everything due happen.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// issuedAt reads when tresor issued a certificate.
func issuedAt(c *issuer.Certificate) time.Time { return c.Leaf().NotBefore.Add(issuer.ClockSkew) }

func serial(c *issuer.Certificate) string { return c.Leaf().SerialNumber.Text(16) }

// mustVerify fails unless the certificate chains to the bundle.
func mustVerify(t *testing.T, c *issuer.Certificate, bundle trustbundle.TrustBundle) {
	t.Helper()
	if _, err := c.Leaf().Verify(x509.VerifyOptions{Roots: bundle.Pool(), CurrentTime: time.Now()}); err != nil {
		t.Fatalf("%v does not verify: %v", c, err)
	}
}
