package issuer_test

import (
	"context"
	"crypto/x509"
	"errors"
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

func TestSetRootsRefusesWhatNobodyCouldTrust(t *testing.T) {
	a, b := testkit.CA(t), testkit.CA(t)
	tests := map[string]struct {
		roots []issuer.Root
		want  string
	}{
		"no root":                    {nil, "no root is to be trusted"},
		"two active roots":           {[]issuer.Root{active("a", a), active("b", b)}, "2 roots are active"},
		"a root without issuer":      {[]issuer.Root{active("a", a), passive("b", nil)}, `root "b" has no issuer`},
		"a root without certificate": {[]issuer.Root{active("a", issuer.TrustedOnly(trustbundle.TrustBundle{}))}, `root "a" has no certificate`},
		"a root that is unreachable": {[]issuer.Root{active("a", a), passive("b", unreachable{})}, `root "b": sealed`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := newManager(t, issuer.Options{}, active("before", a))
			before := m.Bundle()
			err := m.SetRoots(t.Context(), test.roots...)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if !m.Bundle().Equal(before) {
				t.Error("the bundle changed all the same")
			}
		})
	}
}

type unreachable struct{}

func (unreachable) Issue(context.Context, *issuer.Request, time.Duration) ([]*x509.Certificate, error) {
	return nil, errors.New("sealed")
}

func (unreachable) Roots(context.Context) (trustbundle.TrustBundle, error) {
	return trustbundle.TrustBundle{}, errors.New("sealed")
}

func TestANewPassiveRootIsAnnouncedAndLeavesCertificatesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFake(t), newFake(t)
		m := startManager(t, issuer.Options{}, active("a", a))
		s := subscribe(t, m, identityOf(t, "bookstore-v1"))
		before := receive(t, s)
		setRoots(t, m, active("a", a), passive("b", b))
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
		m := startManager(t, issuer.Options{}, active("a", a), passive("b", b))
		subscriptions := make([]*issuer.Subscription, 20)
		for i := range subscriptions {
			subscriptions[i] = subscribe(t, m, identityOf(t, fmt.Sprint("bookstore-", i)))
			mustVerify(t, receive(t, subscriptions[i]).Certificate, bundleOf(t, a))
		}
		setRoots(t, m, passive("a", a), active("b", b))
		for _, s := range subscriptions {
			mustVerify(t, receive(t, s).Certificate, bundleOf(t, b))
		}
	})
}

func TestTheSameRootsChangeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFake(t), newFake(t)
		again := &fakeIssuer{CA: a.CA} // the same root, read once more
		m := startManager(t, issuer.Options{}, active("a", a), passive("b", b))
		s := subscribe(t, m, identityOf(t, "bookstore-v1"))
		receive(t, s)
		setRoots(t, m, active("a", a), passive("b", b))
		setRoots(t, m, passive("b", b), active("a", again))
		setRoots(t, m, active("a", again), passive("b", issuer.TrustedOnly(bundleOf(t, b))))
		receiveNothing(t, s)
		if n := a.asked.Load() + b.asked.Load() + again.asked.Load(); n != 1 {
			t.Errorf("%d certificates were issued", n)
		}
	})
}

func TestASignerIsAnotherByItsNameOrItsCertificates(t *testing.T) {
	tests := map[string]func(a, b issuer.Issuer) issuer.Root{
		"name":         func(a, _ issuer.Issuer) issuer.Root { return active("other", a) },
		"certificates": func(_, b issuer.Issuer) issuer.Root { return active("a", b) },
	}
	for name, next := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := testkit.CA(t), testkit.CA(t)
				m := startManager(t, issuer.Options{}, active("a", a))
				s := subscribe(t, m, identityOf(t, "bookstore-v1"))
				before := receive(t, s)
				setRoots(t, m, next(a, b))
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
		m := startManager(t, issuer.Options{}, active("a", a), passive("b", b))
		s := subscribe(t, m, identityOf(t, "bookstore-v1"))
		pass(5 * time.Second)
		setRoots(t, m, passive("a", a), active("b", b)) // while a is at it
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
		m := startManager(t, issuer.Options{}, active("a", a))
		id := identityOf(t, "bookstore-v1")
		s := m.Subscribe(id)
		before := receive(t, s)

		down.Store(true)
		setRoots(t, m, passive("a", a), active("b", b))
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

func TestARootThatIsTrustedOnlySignsNothing(t *testing.T) {
	bundle := bundleOf(t, testkit.CA(t))
	m := newManager(t, issuer.Options{}, active("a", issuer.TrustedOnly(bundle)))
	setRoots(t, m, active("a", issuer.TrustedOnly(bundle)))
	if !m.Bundle().Equal(bundle) {
		t.Error("it is not trusted")
	}
	if _, err := m.IssueCertificate(t.Context(), identityOf(t, "bookstore-v1")); !errors.Is(err, issuer.ErrTrustedOnly) {
		t.Errorf("error %v, want %v", err, issuer.ErrTrustedOnly)
	}
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
