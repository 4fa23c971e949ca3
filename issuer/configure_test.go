package issuer_test

import (
	"crypto/ed25519"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/test/testkit"
)

func configure(t *testing.T, m *issuer.Manager, ttl time.Duration, algorithm issuer.KeyAlgorithm) {
	t.Helper()
	if err := m.Configure(ttl, algorithm); err != nil {
		t.Fatal(err)
	}
}

func left(c *issuer.Certificate) time.Duration { return time.Until(c.NotAfter()).Round(time.Second) }

func TestSettingsHoldForCertificatesThatAreIssuedFromThenOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startManager(t, issuer.Options{}, signs("a", testkit.CA(t)))
		s := subscribe(t, m, identityOf(t, "bookstore-v1"))
		before := receive(t, s).Certificate
		configure(t, m, 2*day, issuer.Ed25519)
		pass(day/2 - time.Second)
		receiveNothing(t, s)

		pass(day / 6)
		after := receive(t, s).Certificate
		if _, ok := after.Leaf().PublicKey.(ed25519.PublicKey); !ok {
			t.Errorf("the key is a %T", after.Leaf().PublicKey)
		}
		if life := after.NotAfter().Sub(issuedAt(after)); life != 2*day {
			t.Errorf("it lives for %s, the one before until %s", life, before.NotAfter())
		}
	})
}

func TestASettingIsThatOfTheNextIdentity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startManager(t, issuer.Options{}, signs("a", testkit.CA(t)))
		configure(t, m, time.Hour, issuer.ECDSAP256)
		if u := receive(t, subscribe(t, m, identityOf(t, "bookstore-v1"))); left(u.Certificate) != time.Hour {
			t.Errorf("it has %s left", left(u.Certificate))
		}
	})
}

func TestWhatLivesLongerThanANewLifetimeIsReplacedSoonAndSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const proxies, shorter = 300, 12 * time.Hour
		m := startManager(t, issuer.Options{}, signs("a", testkit.CA(t)))
		subscriptions := make([]*issuer.Subscription, proxies)
		for i := range subscriptions {
			subscriptions[i] = subscribe(t, m, identityOf(t, fmt.Sprint("bookstore-", i)))
			receive(t, subscriptions[i])
		}
		configured := time.Now()
		configure(t, m, shorter, issuer.ECDSAP256)
		configure(t, m, shorter, issuer.ECDSAP256) // once more, which changes nothing
		pass(shorter / 6)

		var thirds [3]int // of the time in which they are replaced
		for _, s := range subscriptions {
			at := issuedAt(receive(t, s).Certificate).Sub(configured)
			thirds[min(2, max(0, at/(shorter/18)))]++
		}
		for _, n := range thirds {
			if n < proxies/3/2 || n > proxies/3*2 {
				t.Fatalf("replacements crowd: %v in each third of the time", thirds)
			}
		}
	})
}

func TestWhatEndsWithinANewLifetimeIsRenewedAsItWouldHaveBeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startManager(t, issuer.Options{}, signs("a", testkit.CA(t)))
		id := identityOf(t, "bookstore-v1")
		s := subscribe(t, m, id)
		first := receive(t, s).Certificate
		pass(day / 4)
		configure(t, m, day*3/4, issuer.ECDSAP256)
		pass(day/4 - time.Second)
		receiveNothing(t, s)
		pass(day / 6)
		if second := receive(t, s).Certificate; second == first {
			t.Error("it was not renewed")
		}
	})
}

func TestALifetimeThatIsShortenedWhileACertificateIsIssuedHoldsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		fake.before = takes(10 * time.Second)
		m := startManager(t, issuer.Options{}, signs("a", fake))
		s := subscribe(t, m, identityOf(t, "bookstore-v1"))
		pass(5 * time.Second)
		configure(t, m, time.Hour, issuer.ECDSAP256)
		pass(5 * time.Second)
		receive(t, s)
		pass(10*time.Minute + 10*time.Second)
		if u := receive(t, s); left(u.Certificate) > time.Hour {
			t.Errorf("it has %s left", left(u.Certificate))
		}
	})
}

func TestSettingsThatCannotBeAreRefusedAndChangeNothing(t *testing.T) {
	tests := map[string]struct {
		ttl       time.Duration
		algorithm issuer.KeyAlgorithm
		want      string
	}{
		"no lifetime":              {0, issuer.ECDSAP256, "a lifetime of 0s is not positive"},
		"a lifetime below zero":    {-time.Hour, issuer.ECDSAP256, "a lifetime of -1h0m0s is not positive"},
		"an unknown key algorithm": {time.Hour, "dsa", `key algorithm "dsa"`},
		"no key algorithm":         {time.Hour, "", `key algorithm ""`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := newManager(t, issuer.Options{}, signs("a", testkit.CA(t)))
			if err := m.Configure(test.ttl, test.algorithm); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %s", err, test.want)
			}
			cert, err := m.IssueCertificate(t.Context(), identityOf(t, "bookstore-v1"))
			if err != nil {
				t.Fatal(err)
			}
			if life := cert.NotAfter().Sub(issuedAt(cert)); life != day {
				t.Errorf("it lives for %s", life)
			}
		})
	}
}
