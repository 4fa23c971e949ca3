package issuer_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/test/testkit"
)

const day = 24 * time.Hour

func TestCertificatesAreRenewedBetweenHalfAndTwoThirdsOfTheirLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startManager(t, issuer.Options{}, signs("a", testkit.CA(t)))
		const proxies = 600
		subscriptions := make([]*issuer.Subscription, proxies)
		before := make([]issuer.Update, proxies)
		for i := range subscriptions {
			subscriptions[i] = subscribe(t, m, identityOf(t, fmt.Sprint("bookstore-", i)))
			before[i] = receive(t, subscriptions[i])
		}
		pass(day * 2 / 3)

		var sixths [6]int // of the time in which renewals lie
		for i, s := range subscriptions {
			after := receive(t, s)
			age := issuedAt(after.Certificate).Sub(issuedAt(before[i].Certificate))
			if age < day/2-time.Second || age > day*2/3 {
				t.Fatalf("renewed after %s", age)
			}
			sixths[min(5, max(0, (age-day/2)/(day/36)))]++
		}
		for _, n := range sixths {
			if n < proxies/6/2 || n > proxies/6*2 {
				t.Fatalf("renewals crowd: %v in each sixth of the time", sixths)
			}
		}
	})
}

func TestAnIdentityIsAlwaysRenewedAtTheSamePartOfALife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		id := identityOf(t, "bookstore-v1")
		var ages []time.Duration
		for range 2 {
			m := startManager(t, issuer.Options{}, signs("a", testkit.CA(t)))
			s := subscribe(t, m, id)
			last := receive(t, s).Certificate
			for range 3 {
				next := (<-s.Updates()).Certificate
				ages = append(ages, issuedAt(next).Sub(issuedAt(last)).Round(time.Minute))
				last = next
			}
		}
		for _, age := range ages {
			if age != ages[0] {
				t.Fatalf("renewed after %v", ages)
			}
		}
	})
}

func TestRenewalFollowsTheLifetimeThatTheIssuerGave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		fake.maxTTL = time.Hour
		m := startManager(t, issuer.Options{TTL: day}, signs("a", fake))
		s := subscribe(t, m, identityOf(t, "bookstore-v1"))
		first := receive(t, s)
		pass(30*time.Minute - time.Second)
		receiveNothing(t, s)
		pass(10*time.Minute + time.Second)
		if second := receive(t, s); serial(second.Certificate) == serial(first.Certificate) {
			t.Error("the certificate was not renewed")
		}
	})
}

func TestRenewalGoesOnForAMonth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startManager(t, issuer.Options{}, signs("a", testkit.CA(t)))
		id := identityOf(t, "bookstore-v1")
		subscribe(t, m, id)
		synctest.Wait()
		for range 30 * 24 {
			pass(time.Hour)
			cert, ok := m.GetCertificate(id)
			if !ok || time.Until(cert.NotAfter()) < day/3-time.Second {
				t.Fatalf("after %s the certificate is %v", time.Now(), cert)
			}
		}
	})
}

func TestFailureBacksOffAndKeepsServingWhatIsValid(t *testing.T) {
	tests := map[string]struct {
		err    error
		atOnce int // attempts before the back-off that is checked
		last   time.Duration
	}{
		"of the issuer":    {errDown, 2, time.Minute}, // two, and with the third the issuer's circuit opens
		"of this identity": {errRefused, 0, 5 * time.Minute},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			attempts := failAfterRenewalIsDue(t, test.err)
			checkBackOff(t, attempts[test.atOnce:], test.last)
		})
	}
}

// failAfterRenewalIsDue returns when the issuer was asked for a certificate
// until it ended and another could be issued.
func failAfterRenewalIsDue(t *testing.T, failure error) (attempts []time.Time) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		fake, down := newFake(t), atomic.Bool{}
		fake.before = func(context.Context) error {
			attempts = append(attempts, time.Now())
			if down.Load() {
				return failure
			}
			return nil
		}
		m := startManager(t, issuer.Options{}, signs("a", fake))
		id := identityOf(t, "bookstore-v1")
		s := subscribe(t, m, id)
		first := receive(t, s).Certificate

		down.Store(true)
		pass(time.Until(first.NotAfter()) - time.Second)
		if got, ok := m.GetCertificate(id); !ok || got != first {
			t.Errorf("a second before its end the certificate is %v", got)
		}
		pass(2 * time.Second)
		if got, ok := m.GetCertificate(id); ok {
			t.Errorf("after its end the certificate is %v", got)
		}
		newcomer := subscribe(t, m, id)
		receiveBundleAtMost(t, newcomer)
		receiveNothing(t, s)

		down.Store(false)
		pass(5 * time.Minute)
		for _, s := range []*issuer.Subscription{s, newcomer} {
			if u := receive(t, s); time.Until(u.Certificate.NotAfter()) < day-5*time.Minute {
				t.Errorf("after the failures %v was announced", u.Certificate)
			}
		}
	})
	return attempts[1:]
}

// receiveBundleAtMost wants no certificate to be announced.
func receiveBundleAtMost(t *testing.T, s *issuer.Subscription) {
	t.Helper()
	synctest.Wait()
	select {
	case u := <-s.Updates():
		if u.Certificate != nil {
			t.Errorf("announced is %v", u.Certificate)
		}
	default:
	}
}

// checkBackOff wants delays of 1 s, 2 s, 4 s and so on to the last, each cut by
// up to its half.
func checkBackOff(t *testing.T, attempts []time.Time, last time.Duration) {
	t.Helper()
	if len(attempts) < 50 {
		t.Fatalf("%d attempts in eight hours", len(attempts))
	}
	want := time.Second
	for i := range attempts[1:] {
		got := attempts[i+1].Sub(attempts[i])
		if got < want/2 || got > want {
			t.Errorf("attempt %d came after %s, want %s to %s", i+2, got, want/2, want)
		}
		want = min(2*want, last)
	}
}

func TestACertificateThatEndsIsNotAnnouncedWithANewBundle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, down := newFake(t), atomic.Bool{}
		fake.before = failWhile(&down)
		m := startManager(t, issuer.Options{}, signs("a", fake))
		s := subscribe(t, m, identityOf(t, "bookstore-v1"))
		s.Ack(receive(t, s).Version)
		down.Store(true)
		pass(day + time.Second)

		setTrust(t, m, signs("a", fake), trusts(testkit.CA(t)))
		if u := receive(t, s); u.Certificate != nil || len(u.Bundle.Roots()) != 2 {
			t.Errorf("announced is %+v", u)
		}
		if n := m.Pending(); n != 1 {
			t.Errorf("%d pending; one subscriber does not know the new bundle", n)
		}
		down.Store(false)
		pass(5 * time.Minute)
		u := receive(t, s)
		if s.Ack(u.Version); m.Pending() != 0 || len(u.Bundle.Roots()) != 2 {
			t.Errorf("%d pending after %+v was acknowledged", m.Pending(), u)
		}
	})
}
