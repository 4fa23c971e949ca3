package sidecar_test

import (
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/test/sidecar"
)

func TestAConnectionEndsWithTheTrustInItsPeersRootAndNoSooner(t *testing.T) {
	c := newControl(t)
	first, other := newCA(t), newCA(t)
	was := issuer.Root{Name: "was", Role: issuer.Active, Issuer: first}
	c.setRoots(was)
	c.mount(c.manager.Bundle().PEM())
	buyer := c.run(c.options("buyer", "bookbuyer", "bookbuyer"))
	store := c.run(c.options("store", "bookstore", "bookstore-v2"))
	trustedWith := func(roots ...issuer.Root) {
		t.Helper()
		c.setRoots(roots...)
		for _, s := range []*sidecar.Sidecar{buyer, store} {
			c.wait(s, func(s sidecar.State) bool { return s.Ready() && s.Bundle().Equal(c.manager.Bundle()) })
		}
	}
	passive := func(i issuer.Issuer) issuer.Root { return issuer.Root{Name: "other", Role: issuer.Passive, Issuer: i} }
	trustedWith(was)
	conn, err := buyer.DialPeer(t.Context(), "store:15003", identity(t, "bookstore", "bookstore-v2"))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := conn.Read(make([]byte, 1))
		ended <- err
	}()
	trustedWith(was, passive(other))
	trustedWith(was)
	is := issuer.Root{Name: "is", Role: issuer.Active, Issuer: other}
	trustedWith(is, passive(first))
	c.wait(store, func(s sidecar.State) bool { return s.Leaf().CheckSignatureFrom(other.Root()) == nil })
	select {
	case err := <-ended:
		t.Fatalf("it ended while both roots are trusted: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	trustedWith(is)
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("it did not end")
	}
}
