package certmanager_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/issuertest"
)

// cert-manager's certificates begin when they are issued.
func TestWhatCertManagerIssuesAnewIsServedWhenClocksThatAreBehindAcceptIt(t *testing.T) {
	const skew = 3 * time.Second
	former, next := newMesh(t), newMesh(t)
	a, b := former.newIssuer(t, nil), next.newIssuer(t, nil)
	m := issuer.NewManager(issuer.Options{ClockSkew: skew, Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	go m.Run(ctx)
	issuertest.Trust(t, m, "former", a, b)
	id, err := identity.New("cluster.local", "bookstore", "bookstore-v1")
	must(t, err)
	s := m.Subscribe(id)
	defer s.Close()
	receive := func() *issuer.Certificate {
		t.Helper()
		select {
		case u := <-s.Updates():
			return u.Certificate
		case <-ctx.Done():
			t.Fatal("nothing was announced")
			return nil
		}
	}
	must(t, receive().Leaf().CheckSignatureFrom(former.root))

	issuertest.Trust(t, m, "next", b, a)
	leaf := receive().Leaf()
	must(t, leaf.CheckSignatureFrom(next.root))
	if age := time.Since(leaf.NotBefore); age < skew {
		t.Errorf("it is served %s after it begins", age)
	}
	if current, total := m.Progress(); current != 1 || total != 1 {
		t.Errorf("%d of %d are of the root that signs", current, total)
	}
}
