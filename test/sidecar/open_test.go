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
	c.setRoots(issuer.Root{Name: "was", Role: issuer.Active, Issuer: signer})
	c.mount(c.manager.Bundle().PEM())
	p := &pair{c, c.run(c.options("buyer", "bookbuyer", "bookbuyer")), c.run(c.options("store", "bookstore", "bookstore-v2"))}
	p.follow()
	return p
}

// trust has both know these roots and no other.
func (p *pair) trust(roots ...issuer.Root) {
	p.t.Helper()
	p.setRoots(roots...)
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
	was := issuer.Root{Name: "was", Role: issuer.Active, Issuer: first}
	p := newPair(t, first)
	passive := func(i issuer.Issuer) issuer.Root { return issuer.Root{Name: "other", Role: issuer.Passive, Issuer: i} }
	ended := p.connect()
	p.trust(was, passive(other))
	p.trust(was)
	is := issuer.Root{Name: "is", Role: issuer.Active, Issuer: other}
	p.trust(is, passive(first))
	p.wait(p.store, func(s sidecar.State) bool { return s.Leaf().CheckSignatureFrom(other.Root()) == nil })
	select {
	case err := <-ended:
		t.Fatalf("it ended while both roots are trusted: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	p.trust(is)
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
	is := issuer.Root{Name: "is", Role: issuer.Active, Issuer: other}
	p.trust(is, issuer.Root{Name: "was", Role: issuer.Passive, Issuer: first})
	for _, s := range []*sidecar.Sidecar{p.buyer, p.store} {
		p.wait(s, func(s sidecar.State) bool { return s.Leaf().CheckSignatureFrom(other.Root()) == nil })
	}
	time.Sleep(moment)
	p.trust(is)
	p.trust(is, issuer.Root{Name: "next", Role: issuer.Passive, Issuer: testkit.CA(t)})
	p.trust(is) // one that signed nothing is gone
	select {
	case err := <-ended:
		t.Fatalf("it ended: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
}
