package issuer_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/test/testkit"
)

func TestAManagerTellsWhatItHoldsForThoseWhoSubscribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := testkit.CA(t)
		m := startManager(t, issuer.Options{TTL: time.Hour}, signs("a", ca))
		late, early := identityOf(t, "b"), identityOf(t, "a")
		update := receive(t, subscribe(t, m, late))
		subscribe(t, m, early)
		if _, err := m.IssueCertificate(t.Context(), identityOf(t, "unused")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		held := m.Holdings()
		if len(held) != 2 || held[0].Identity != early || held[1].Identity != late {
			t.Fatalf("holds %v", held)
		}
		h := held[1]
		if h.Certificate != update.Certificate || !h.Root.Equal(m.Bundle().Roots()[0]) {
			t.Errorf("holds %v of root %v", h.Certificate, h.Root.Subject)
		}
		if life := time.Until(h.RenewAt); life < 25*time.Minute || life > 45*time.Minute {
			t.Errorf("is renewed in %s of an hour", life)
		}
	})
}

func TestAManagerWithoutAnIssuerTellsWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startManager(t, issuer.Options{})
		subscribe(t, m, identityOf(t, "a"))
		if held := m.Holdings(); len(held) != 1 || held[0].Certificate != nil || held[0].Root != nil || !held[0].RenewAt.IsZero() {
			t.Errorf("holds %v", held)
		}
	})
}
