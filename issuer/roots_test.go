package issuer_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/test/testkit"
)

func TestSetTrustRefusesWhatNoProxyCouldVerify(t *testing.T) {
	a, b := testkit.CA(t), testkit.CA(t)
	trusted := bundleOf(t, a)
	tests := map[string]struct {
		bundle trustbundle.TrustBundle
		signer issuer.Signer
		want   string
	}{
		"no root":                   {trustbundle.TrustBundle{}, issuer.Signer{}, "no root is to be trusted"},
		"a signer alone":            {trustbundle.TrustBundle{}, issuer.Signer{Name: "a", Issuer: a, Roots: trusted}, "no root is to be trusted"},
		"a signer without issuer":   {trusted, issuer.Signer{Name: "a", Roots: trusted}, `signer "a" has no issuer`},
		"a signer without root":     {trusted, issuer.Signer{Name: "a", Issuer: a}, `signer "a" has no root`},
		"a signer of another root":  {trusted, issuer.Signer{Name: "b", Issuer: b, Roots: bundleOf(t, b)}, `signer "b" has a root that is not to be trusted`},
		"a signer of one root more": {trusted, issuer.Signer{Name: "b", Issuer: a, Roots: bundleOf(t, a, b)}, `signer "b" has a root that is not to be trusted`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := newManager(t, issuer.Options{}, signs("before", a), trusts(testkit.CA(t)))
			bundle, health := m.Bundle(), m.Health()
			err := m.SetTrust(test.bundle, test.signer)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if !m.Bundle().Equal(bundle) || m.Health() != health {
				t.Error("something changed all the same")
			}
		})
	}
}

func TestANewPassiveRootIsAnnouncedAndLeavesCertificatesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFake(t), newFake(t)
		m := startManager(t, issuer.Options{}, signs("a", a))
		s := subscribe(t, m, identityOf(t, "bookstore-v1"))
		before := receive(t, s)
		setTrust(t, m, signs("a", a), trusts(b))
		after := receive(t, s)
		union := bundleOf(t, a, b)
		if !after.Bundle.Equal(union) || !m.Bundle().Equal(union) {
			t.Errorf("announced %d roots, want the union", len(after.Bundle.Roots()))
		}
		if after.Certificate != before.Certificate || a.asked.Load() != 1 || b.asked.Load() != 0 {
			t.Errorf("the certificate became %v", after.Certificate)
		}
	})
}

func TestAnotherSignerReissuesEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFake(t), newFake(t)
		m := startManager(t, issuer.Options{}, signs("a", a), trusts(b))
		subscriptions := make([]*issuer.Subscription, 20)
		for i := range subscriptions {
			subscriptions[i] = subscribe(t, m, identityOf(t, fmt.Sprint("bookstore-", i)))
			mustVerify(t, receive(t, subscriptions[i]).Certificate, bundleOf(t, a))
		}
		setTrust(t, m, trusts(a), signs("b", b))
		for _, s := range subscriptions {
			mustVerify(t, receive(t, s).Certificate, bundleOf(t, b))
		}
	})
}

func TestTheSameRootsChangeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFake(t), newFake(t)
		again := &fakeIssuer{CA: a.CA} // the same root, read once more
		m := startManager(t, issuer.Options{}, signs("a", a), trusts(b))
		s := subscribe(t, m, identityOf(t, "bookstore-v1"))
		receive(t, s)
		setTrust(t, m, signs("a", a), trusts(b))
		setTrust(t, m, trusts(b), signs("a", again))
		setTrust(t, m, signs("a", again), trusts(&fakeIssuer{CA: b.CA}))
		receiveNothing(t, s)
		if n := a.asked.Load() + b.asked.Load() + again.asked.Load(); n != 1 {
			t.Errorf("%d certificates were issued", n)
		}
	})
}

func TestASignerIsAnotherByItsNameOrItsCertificates(t *testing.T) {
	tests := map[string]func(a, b issuer.Issuer) root{
		"name":         func(a, _ issuer.Issuer) root { return signs("other", a) },
		"certificates": func(_, b issuer.Issuer) root { return signs("a", b) },
	}
	for name, next := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := testkit.CA(t), testkit.CA(t)
				m := startManager(t, issuer.Options{}, signs("a", a))
				s := subscribe(t, m, identityOf(t, "bookstore-v1"))
				before := receive(t, s)
				setTrust(t, m, next(a, b))
				if after := receive(t, s); after.Certificate == before.Certificate {
					t.Error("nothing was issued")
				}
			})
		})
	}
}

func TestARootThatSignsNoMoreKeepsNothingItSigned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFake(t), newFake(t)
		a.before = takes(10 * time.Second)
		m := startManager(t, issuer.Options{}, signs("a", a), trusts(b))
		s := subscribe(t, m, identityOf(t, "bookstore-v1"))
		pass(5 * time.Second)
		setTrust(t, m, trusts(a), signs("b", b)) // while a is at it
		pass(5 * time.Second)
		mustVerify(t, receive(t, s).Certificate, bundleOf(t, b))
		receiveNothing(t, s)
		if a.asked.Load() != 1 || b.asked.Load() != 1 {
			t.Errorf("a was asked %d times, b %d times", a.asked.Load(), b.asked.Load())
		}
	})
}

func TestASignerThatFailsLeavesTheOldCertificateAndIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, down := testkit.CA(t), newFake(t), atomic.Bool{}
		b.before = failWhile(&down)
		m := startManager(t, issuer.Options{}, signs("a", a))
		id := identityOf(t, "bookstore-v1")
		s := m.Subscribe(id)
		before := receive(t, s)

		down.Store(true)
		setTrust(t, m, trusts(a), signs("b", b))
		if u := receive(t, s); u.Certificate != before.Certificate {
			t.Errorf("announced %v with the new bundle", u.Certificate)
		}
		s.Close()
		pass(30 * time.Second)
		s = subscribe(t, m, id) // comes back while the certificate lingers
		if u := receive(t, s); u.Certificate != before.Certificate {
			t.Errorf("found %v", u.Certificate)
		}
		down.Store(false)
		pass(time.Minute)
		mustVerify(t, receive(t, s).Certificate, bundleOf(t, b))
	})
}

func bundleOf(t testing.TB, issuers ...issuer.Issuer) trustbundle.TrustBundle {
	t.Helper()
	var bundle trustbundle.TrustBundle
	for _, i := range issuers {
		roots, err := i.Roots(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		bundle = bundle.Union(roots)
	}
	return bundle
}
