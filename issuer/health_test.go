package issuer_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/test/testkit"
)

// change returns what was announced of the issuer's health last.
func change(t *testing.T, m *issuer.Manager) issuer.Health {
	t.Helper()
	select {
	case h := <-m.HealthChanges():
		return h
	default:
		t.Fatal("no change of health was announced")
		return issuer.Health{}
	}
}

func noChange(t *testing.T, m *issuer.Manager) {
	t.Helper()
	select {
	case h := <-m.HealthChanges():
		t.Fatalf("a change of health was announced: %v", h)
	default:
	}
}

func TestHealthIsAnnouncedWhenAnIssuerBeginsToFailAndWhenItWorksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		m, _, down := openCircuit(t, issuer.Options{})
		h := change(t, m)
		if !h.Open || h.Root != "a" || !h.Since.Equal(began) || !errors.Is(h.Err, errDown) {
			t.Errorf("announced %v", h)
		}
		if delay := h.NextAttempt.Sub(began); delay < time.Second/2 || delay > time.Second {
			t.Errorf("the first probe comes after %s", delay)
		}
		s := subscribe(t, m, identityOf(t, "bookstore-v1"))
		pass(time.Hour)
		noChange(t, m)
		if now := m.Health(); !now.Open || !now.Since.Equal(began) || now.NextAttempt.Before(time.Now()) {
			t.Errorf("an hour later it is %v", now)
		}

		down.Store(false)
		pass(time.Minute)
		if h := change(t, m); h != (issuer.Health{Root: "a"}) || h != m.Health() {
			t.Errorf("announced %v, is %v", h, m.Health())
		}
		receive(t, s)
		noChange(t, m)
	})
}

func TestHealthOfAManagerWithoutARootIsNotThatOfAnIssuer(t *testing.T) {
	m := newManager(t, issuer.Options{})
	if h := m.Health(); h != (issuer.Health{}) {
		t.Errorf("health %v", h)
	}
	noChange(t, m)
}

func TestHealthOfARootThatIsReplacedWhileItFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _, _ := openCircuit(t, issuer.Options{})
		change(t, m)
		setTrust(t, m, signs("b", testkit.CA(t)))
		if h := change(t, m); h != (issuer.Health{Root: "b"}) {
			t.Errorf("announced %v", h)
		}
	})
}
