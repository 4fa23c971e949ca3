package sidecar_test

import (
	"context"
	"crypto/x509"
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/test/sidecar"
	"github.com/osm-edge/osm/test/testkit"
)

// pair are two sidecars without interception.
type pair struct {
	*control
	buyer, store *sidecar.Sidecar
}

func newPair(t *testing.T, signer issuer.Issuer) *pair {
	t.Helper()
	c := newControl(t)
	c.trust("was", signer)
	c.mount(c.manager.Bundle().PEM())
	p := &pair{c, c.run(c.options("buyer", "bookbuyer", "bookbuyer")), c.run(c.options("store", "bookstore", "bookstore-v2"))}
	p.follow()
	return p
}

// trust has both know the roots of these and no other.
func (p *pair) trust(name string, signer issuer.Issuer, others ...issuer.Issuer) {
	p.t.Helper()
	p.control.trust(name, signer, others...)
	p.follow()
}

func (p *pair) follow() {
	p.t.Helper()
	for _, s := range []*sidecar.Sidecar{p.buyer, p.store} {
		p.wait(s, func(s sidecar.State) bool { return s.Ready() && s.Bundle().Equal(p.manager.Bundle()) })
	}
}

// connect tells how a connection ends that the buyer makes to the store.
func (p *pair) connect() <-chan error {
	p.t.Helper()
	conn, err := p.buyer.DialPeer(p.t.Context(), "store:15003", identityOf(p.t, "bookstore", "bookstore-v2"))
	if err != nil {
		p.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := conn.Read(make([]byte, 1))
		ended <- err
	}()
	return ended
}

func TestAConnectionEndsWithTheTrustInItsPeersRootAndNoSooner(t *testing.T) {
	first, other := testkit.CA(t), testkit.CA(t)
	p := newPair(t, first)
	ended := p.connect()
	p.trust("was", first, other)
	p.trust("was", first)
	p.trust("is", other, first)
	p.wait(p.store, func(s sidecar.State) bool { return s.Leaf().CheckSignatureFrom(other.Root()) == nil })
	select {
	case err := <-ended:
		t.Fatalf("it ended while both roots are trusted: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	p.trust("is", other)
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("it did not end")
	}
}

// brief certifies for no longer than a moment.
type brief struct{ issuer.Issuer }

const moment = 3 * time.Second

func (b brief) Issue(ctx context.Context, r *issuer.Request, ttl time.Duration) ([]*x509.Certificate, error) {
	return b.Issuer.Issue(ctx, r, min(ttl, moment))
}

// TestAConnectionOutlivesARootThatIsReplaced has a root leave when all of its
// certificates have ended, which is when one leaves that is replaced.
func TestAConnectionOutlivesARootThatIsReplaced(t *testing.T) {
	first, other := testkit.CA(t), testkit.CA(t)
	p := newPair(t, brief{first})
	ended := p.connect()
	p.trust("is", other, first)
	for _, s := range []*sidecar.Sidecar{p.buyer, p.store} {
		p.wait(s, func(s sidecar.State) bool { return s.Leaf().CheckSignatureFrom(other.Root()) == nil })
	}
	time.Sleep(moment)
	p.trust("is", other)
	p.trust("is", other, testkit.CA(t))
	p.trust("is", other) // one that signed nothing is gone
	select {
	case err := <-ended:
		t.Fatalf("it ended: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
}
