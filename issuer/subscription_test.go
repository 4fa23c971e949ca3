package issuer_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/test/testkit"
)

func TestSubscribersShareACertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		m := startManager(t, issuer.Options{}, signs("a", fake))
		id := identityOf(t, "bookstore-v1")
		early := receive(t, subscribe(t, m, id))
		late := receive(t, subscribe(t, m, id))
		other := receive(t, subscribe(t, m, identityOf(t, "bookstore-v2")))
		if early.Certificate != late.Certificate || early.Version != late.Version {
			t.Errorf("one was told %+v, the other %+v", early, late)
		}
		if other.Certificate == early.Certificate || fake.asked.Load() != 2 {
			t.Errorf("another identity has %v; the issuer was asked %d times", other.Certificate, fake.asked.Load())
		}
		if !early.Bundle.Equal(m.Bundle()) {
			t.Error("the Update carries another bundle than the Manager's")
		}
	})
}

func TestASlowSubscriberGetsOnlyTheLatestUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startManager(t, issuer.Options{}, signs("a", testkit.CA(t)))
		id := identityOf(t, "bookstore-v1")
		s := subscribe(t, m, id)
		synctest.Wait()
		var latest *issuer.Certificate
		for range 10 {
			var err error
			if latest, err = m.RotateCertificate(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		if u := receive(t, s); u.Certificate != latest {
			t.Errorf("was told of %v, the latest is %v", u.Certificate, latest)
		}
		receiveNothing(t, s)
	})
}

func TestACertificateIsGivenUpWithItsLastSubscriber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startManager(t, issuer.Options{Linger: time.Minute}, signs("a", testkit.CA(t)))
		id := identityOf(t, "bookstore-v1")
		one, other := m.Subscribe(id), m.Subscribe(id)
		synctest.Wait()
		one.Close()
		one.Close() // once more, which changes nothing
		pass(time.Hour)
		if _, ok := m.GetCertificate(id); !ok {
			t.Fatal("it was given up while it was subscribed to")
		}
		other.Close()
		pass(time.Minute - time.Second)
		if _, ok := m.GetCertificate(id); !ok {
			t.Error("it was given up at once")
		}
		pass(2 * time.Second)
		if cert, ok := m.GetCertificate(id); ok {
			t.Errorf("it is still there: %v", cert)
		}
	})
}

func TestWhoComesBackSoonFindsTheSameCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startManager(t, issuer.Options{Linger: time.Minute}, signs("a", testkit.CA(t)))
		id := identityOf(t, "bookstore-v1")
		s := m.Subscribe(id)
		before := receive(t, s)
		s.Close()
		pass(59 * time.Second)
		s = subscribe(t, m, id)
		if after := receive(t, s); after.Certificate != before.Certificate {
			t.Errorf("had %v, found %v", before.Certificate, after.Certificate)
		}
		pass(day * 2 / 3)
		if after := receive(t, s); after.Certificate == before.Certificate {
			t.Error("it was not renewed any more")
		}
	})
}

func TestWhatNoOneSubscribesToIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		fake.before = takes(10 * time.Second)
		m := startManager(t, issuer.Options{Linger: time.Minute}, signs("a", fake))
		left, asked := identityOf(t, "left-while-it-was-issued"), identityOf(t, "only-asked-for")

		s := m.Subscribe(left)
		pass(time.Second)
		s.Close()
		if _, err := m.IssueCertificate(t.Context(), asked); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute + time.Second)
		for _, id := range []identity.Identity{left, asked} {
			if cert, ok := m.GetCertificate(id); ok {
				t.Errorf("%v is still there", cert)
			}
		}
		if n := fake.asked.Load(); n != 2 {
			t.Errorf("the issuer was asked %d times", n)
		}
	})
}

func TestPendingCountsWhoHasNotAcknowledgedTheLatestUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, down := newFake(t), atomic.Bool{}
		fake.before = failWhile(&down)
		down.Store(true)
		m := startManager(t, issuer.Options{}, signs("a", fake))
		want := func(n int, when string) {
			t.Helper()
			if got := m.Pending(); got != n {
				t.Errorf("%d pending %s, want %d", got, when, n)
			}
		}
		id := identityOf(t, "bookstore-v1")
		one, other := subscribe(t, m, id), m.Subscribe(id)
		synctest.Wait()
		want(2, "before there is a certificate")

		down.Store(false)
		pass(time.Minute)
		update := receive(t, one)
		want(2, "before anyone acknowledged")
		one.Ack(update.Version)
		if one.Acked() != update.Version || other.Acked() != 0 {
			t.Errorf("acknowledged %d and %d", one.Acked(), other.Acked())
		}
		want(1, "after one of two acknowledged")
		other.Close()
		want(0, "after the other left")

		setTrust(t, m, signs("a", fake), trusts(testkit.CA(t)))
		want(1, "after the bundle changed")
		one.Ack(update.Version)
		want(1, "after an outdated Update was acknowledged")
		one.Ack(receive(t, one).Version)
		want(0, "after the new bundle was acknowledged")
	})
}

// For the race detector: everything at once, in real time.
func TestSubscribersComeAndGoWhileRootsChange(t *testing.T) {
	a, b := testkit.CA(t), testkit.CA(t)
	m := startManager(t, issuer.Options{Linger: time.Microsecond}, signs("a", a))
	var group sync.WaitGroup
	for range 8 {
		id := identityOf(t, "bookstore-v1")
		group.Go(func() {
			for range 50 {
				s := m.Subscribe(id)
				u := <-s.Updates()
				s.Ack(u.Version)
				m.Pending()
				s.Close()
			}
		})
	}
	for i := range 20 {
		roots := []root{signs("a", a), trusts(b)}
		if i%2 == 0 {
			roots = []root{trusts(a), signs("b", b)}
		}
		setTrust(t, m, roots...)
		if _, err := m.RotateCertificate(t.Context(), identityOf(t, "bookstore-v1")); err != nil {
			t.Error(err)
		}
	}
	group.Wait()
}
