package issuer_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"math/big"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

const skew = 5 * time.Minute

// sharp is a CA whose certificates begin when they are issued, as cert-manager's
// do, or some time after that.
type sharp struct {
	root  *x509.Certificate
	key   crypto.Signer
	asked atomic.Int64
	down  atomic.Bool
	takes time.Duration
	later time.Duration
	ttl   time.Duration // at most; 0: as asked
}

func newSharp(t testing.TB) *sharp {
	t.Helper()
	root, key, err := tresor.NewRoot()
	if err != nil {
		t.Fatal(err)
	}
	return &sharp{root: root, key: key}
}

func (s *sharp) Roots(context.Context) (trustbundle.TrustBundle, error) {
	return trustbundle.New(s.root), nil
}

func (s *sharp) Issue(_ context.Context, req *issuer.Request, ttl time.Duration) ([]*x509.Certificate, error) {
	if s.down.Load() {
		return nil, errDown
	}
	n := s.asked.Add(1)
	time.Sleep(s.takes)
	if s.ttl != 0 {
		ttl = min(ttl, s.ttl)
	}
	template := templateOf(req)
	template.SerialNumber = big.NewInt(n)
	template.NotBefore = time.Now().Add(s.later)
	template.NotAfter = time.Now().Add(ttl)
	der, err := x509.CreateCertificate(rand.Reader, template, s.root, req.PublicKey(), s.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	return []*x509.Certificate{leaf}, err
}

// startSkewed returns a running Manager with the certificate of an identity that
// is subscribed to.
func startSkewed(t *testing.T, o issuer.Options, roots ...root) (*issuer.Manager, *issuer.Subscription, issuer.Update) {
	t.Helper()
	o.ClockSkew = skew
	m := startManager(t, o, roots...)
	s := subscribe(t, m, identityOf(t, "bookstore-v1"))
	first := receive(t, s)
	if first.Certificate == nil {
		t.Fatal("the first certificate is held back")
	}
	return m, s, first
}

// renewal lets time pass until the issuer is asked once more.
func renewal(t *testing.T, s *sharp) {
	t.Helper()
	for before, end := s.asked.Load(), time.Now().Add(day); s.asked.Load() == before; pass(time.Second) {
		if time.Now().After(end) {
			t.Fatal("nothing was renewed in a day")
		}
	}
}

func TestARenewedCertificateIsServedWhenClocksThatAreBehindAcceptIt(t *testing.T) {
	for name, later := range map[string]time.Duration{"an issuer that does not backdate": 0, "an issuer whose clock is ahead": 2 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newSharp(t)
				a.later = later
				m, s, first := startSkewed(t, issuer.Options{}, signs("a", a))
				renewal(t, a)
				issued := time.Now()
				receiveNothing(t, s)
				pass(later + skew - 3*time.Second)
				receiveNothing(t, s)
				if held, ok := m.GetCertificate(identityOf(t, "bookstore-v1")); !ok || held != first.Certificate {
					t.Errorf("handed out is %v", held)
				}
				if late := receive(t, subscribe(t, m, identityOf(t, "bookstore-v1"))); late.Certificate != first.Certificate {
					t.Errorf("who comes meanwhile is told %v", late.Certificate)
				}
				pass(3 * time.Second)
				second := receive(t, s).Certificate
				if second == first.Certificate || second.Leaf().NotBefore.Add(skew).After(time.Now()) {
					t.Errorf("%s after it was issued, %v was announced, valid from %s", time.Since(issued), second, second.Leaf().NotBefore)
				}
				if n := a.asked.Load(); n != 2 {
					t.Errorf("the issuer was asked %d times", n)
				}
			})
		})
	}
}

func TestWhatIsBackdatedIsNotHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newFake(t)
		m, s, _ := startSkewed(t, issuer.Options{}, signs("a", a))
		for a.asked.Load() < 2 {
			pass(time.Second)
		}
		if receive(t, s); m.Pending() != 1 {
			t.Errorf("%d pending", m.Pending())
		}
	})
}

func TestWithoutClockSkewNothingIsHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newSharp(t)
		m := startManager(t, issuer.Options{}, signs("a", a))
		s := subscribe(t, m, identityOf(t, "bookstore-v1"))
		receive(t, s)
		renewal(t, a)
		receive(t, s)
	})
}

func TestACertificateBeginsNoSoonerThanItsRoot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSharp(t), newSharp(t)
		b.later = -skew
		template := *b.root
		template.NotBefore = time.Now()
		der, err := x509.CreateCertificate(rand.Reader, &template, &template, b.key.Public(), b.key)
		if err != nil {
			t.Fatal(err)
		}
		if b.root, err = x509.ParseCertificate(der); err != nil {
			t.Fatal(err)
		}
		m, s, _ := startSkewed(t, issuer.Options{}, signs("a", a), trusts(b))
		setTrust(t, m, trusts(a), signs("b", b))
		pass(skew - 2*time.Second)
		receiveNothing(t, s)
		pass(2 * time.Second)
		mustVerify(t, receive(t, s).Certificate, bundleOf(t, b))
	})
}

func TestAnotherRootsCertificatesAreHeldBackAndCountAsOnesOfTheFormer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSharp(t), newSharp(t)
		m, s, first := startSkewed(t, issuer.Options{}, signs("a", a), trusts(b))
		setTrust(t, m, trusts(a), signs("b", b))
		pass(skew - 2*time.Second)
		receiveNothing(t, s)
		if current, total := m.Progress(); current != 0 || total != 1 {
			t.Errorf("%d of %d are of the root that signs", current, total)
		}
		if n := m.HeldBack(); n != 1 {
			t.Errorf("%d are held back", n)
		}
		pass(2 * time.Second)
		if u := receive(t, s); u.Certificate == first.Certificate {
			t.Error("the former certificate was announced")
		} else {
			mustVerify(t, u.Certificate, bundleOf(t, b))
		}
		if current, _ := m.Progress(); current != 1 || b.asked.Load() != 1 || m.HeldBack() != 0 {
			t.Errorf("%d are of the root that signs, which was asked %d times; %d are held back", current, b.asked.Load(), m.HeldBack())
		}
	})
}

// Were it dropped, roots that are replaced faster than the clocks' skew would
// keep the first root's certificate until it ends.
func TestRootsThatAreReplacedFasterDoNotHoldCertificatesBackForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		roots := make([]root, 10)
		for i := range roots {
			roots[i] = trusts(newSharp(t))
		}
		sign := func(n int) []root {
			all := slices.Clone(roots)
			all[n].name = fmt.Sprint("root-", n)
			return all
		}
		m, s, first := startSkewed(t, issuer.Options{}, sign(0)...)
		served := []*issuer.Certificate{first.Certificate}
		for n := 1; n < len(roots); n++ {
			setTrust(t, m, sign(n)...)
			for range 4 * 60 {
				pass(time.Second)
				select {
				case u := <-s.Updates():
					served = append(served, u.Certificate)
					if begin := u.Certificate.Leaf().NotBefore; time.Now().Before(begin.Add(skew)) {
						t.Errorf("one was served %s after its begin", time.Since(begin))
					}
				default:
				}
			}
		}
		if len(served) < 1+len(roots)*4/10 {
			t.Errorf("%d certificates were served while %d roots signed", len(served), len(roots))
		}
		pass(2 * skew)
		if u := receive(t, s); m.Pending() != 1 {
			t.Errorf("%v", u)
		} else {
			mustVerify(t, u.Certificate, bundleOf(t, roots[9].issuer))
		}
	})
}

func TestNothingIsServedWhoseRootIsNotTrustedAnyMore(t *testing.T) {
	t.Run("that of the present certificate", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, b := newSharp(t), newSharp(t)
			m, s, _ := startSkewed(t, issuer.Options{}, signs("a", a), trusts(b))
			setTrust(t, m, trusts(a), signs("b", b))
			pass(time.Minute)
			receiveNothing(t, s)
			setTrust(t, m, signs("b", b))
			mustVerify(t, receive(t, s).Certificate, bundleOf(t, b))
			if n := b.asked.Load(); n != 1 {
				t.Errorf("the issuer was asked %d times, though there was one", n)
			}
		})
	})
	t.Run("that of the one held back", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, b, c := newSharp(t), newSharp(t), newSharp(t)
			m, s, first := startSkewed(t, issuer.Options{}, signs("a", a), trusts(b), trusts(c))
			setTrust(t, m, trusts(a), signs("b", b), trusts(c))
			pass(time.Minute)
			setTrust(t, m, trusts(a), signs("c", c))
			if u := receive(t, s); u.Certificate != first.Certificate || len(u.Bundle.Roots()) != 2 {
				t.Errorf("announced is %+v", u)
			}
			pass(skew - 2*time.Second)
			receiveNothing(t, s)
			pass(2 * time.Second)
			mustVerify(t, receive(t, s).Certificate, bundleOf(t, c))
		})
	})
	t.Run("both", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, b, c := newSharp(t), newSharp(t), newSharp(t)
			m, s, _ := startSkewed(t, issuer.Options{}, signs("a", a), trusts(b), trusts(c))
			setTrust(t, m, trusts(a), signs("b", b), trusts(c))
			pass(time.Minute)
			setTrust(t, m, signs("c", c))
			mustVerify(t, receive(t, s).Certificate, bundleOf(t, c))
		})
	})
}

// It is issued anew at once, though replacements are spread.
func TestARootThatIsRevokedWhileCertificatesAreReplacedServesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFake(t), newFake(t)
		m := startManager(t, issuer.Options{}, signs("a", a), trusts(b))
		for i := range 1000 {
			receive(t, subscribe(t, m, identityOf(t, fmt.Sprint("bookstore-", i))))
		}
		setTrust(t, m, trusts(a), signs("b", b))
		pass(time.Second)
		setTrust(t, m, signs("b", b))
		pass(time.Millisecond)
		if current, total := m.Progress(); current != total {
			t.Errorf("%d of %d are replaced", current, total)
		}
	})
}

func TestRotateCertificateHoldsNothingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newSharp(t)
		m, s, _ := startSkewed(t, issuer.Options{}, signs("a", a))
		rotated, err := m.RotateCertificate(t.Context(), identityOf(t, "bookstore-v1"))
		if err != nil {
			t.Fatal(err)
		}
		if u := receive(t, s); u.Certificate != rotated {
			t.Errorf("announced is %v", u.Certificate)
		}
		renewal(t, a)
		again, err := m.RotateCertificate(t.Context(), identityOf(t, "bookstore-v1"))
		if err != nil {
			t.Fatal(err)
		}
		if u := receive(t, s); u.Certificate != again {
			t.Errorf("announced is %v, while one was held back", u.Certificate)
		}
		pass(2 * skew)
		receiveNothing(t, s)
	})
}

func TestRotateCertificateServesWhatIsUnderWayAlready(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSharp(t), newSharp(t)
		b.takes = 10 * time.Second
		m, s, _ := startSkewed(t, issuer.Options{}, signs("a", a), trusts(b))
		setTrust(t, m, trusts(a), signs("b", b))
		pass(time.Second)
		rotated, err := m.RotateCertificate(t.Context(), identityOf(t, "bookstore-v1"))
		if err != nil {
			t.Fatal(err)
		}
		if u := receive(t, s); u.Certificate != rotated || b.asked.Load() != 1 {
			t.Errorf("announced is %v, after %d were asked for", u.Certificate, b.asked.Load())
		}
	})
}

// Clocks may be ahead, too: then it is the present certificate that they refuse.
func TestNeitherCertificateIsServedInTheOthersHalfOfTheTimeThatBothAreValid(t *testing.T) {
	tests := map[string]struct {
		first, second time.Duration // the lives
		after         time.Duration // when it is renewed at last
		want          time.Duration // until it is served
	}{
		"the present one is about to end":  {day, day, day - 4*time.Minute, 2 * time.Minute},
		"the next one lives for a while":   {day, 6 * time.Minute, 0, 3 * time.Minute},
		"there is time enough":             {day, day, day - 11*time.Minute, skew},
		"the next one ends before it does": {day, time.Minute, 0, 30 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := newSharp(t), newSharp(t)
				b.ttl = test.second
				m, s, _ := startSkewed(t, issuer.Options{TTL: test.first}, signs("a", a), trusts(b))
				a.down.Store(true)
				pass(test.after)
				setTrust(t, m, trusts(a), signs("b", b))
				pass(test.want - 2*time.Second)
				receiveNothing(t, s)
				pass(2*time.Second + time.Millisecond)
				mustVerify(t, receive(t, s).Certificate, bundleOf(t, b))
			})
		})
	}
}

func TestWhatIsHeldBackIsServedAtOnceWhenThePresentOneHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newSharp(t)
		_, s, first := startSkewed(t, issuer.Options{TTL: time.Hour}, signs("a", a))
		a.down.Store(true)
		pass(time.Until(first.Certificate.NotAfter()) + time.Second)
		a.down.Store(false)
		pass(time.Minute)
		if u := receive(t, s); u.Certificate == nil || u.Certificate == first.Certificate {
			t.Errorf("announced is %v", u.Certificate)
		}
	})
}

func TestSettingsDoNotHastenWhatIsHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newSharp(t)
		m, s, first := startSkewed(t, issuer.Options{}, signs("a", a))
		renewal(t, a)
		configure(t, m, time.Hour, issuer.ECDSAP256)
		pass(skew - 3*time.Second)
		if receiveNothing(t, s); a.asked.Load() != 2 {
			t.Errorf("%d were asked for", a.asked.Load())
		}
		pass(3 * time.Second)
		if second := receive(t, s).Certificate; second == first.Certificate {
			t.Errorf("announced is %v", second)
		}
		pass(10*time.Minute + skew)
		if third := receive(t, s).Certificate; left(third) > time.Hour {
			t.Errorf("it has %s left", left(third))
		}
	})
}

func TestWhatIsHeldBackIsGivenUpWithItsLastSubscriber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newSharp(t)
		m, s, first := startSkewed(t, issuer.Options{Linger: time.Minute}, signs("a", a))
		id := identityOf(t, "bookstore-v1")
		renewal(t, a)
		s.Close()
		pass(30 * time.Second)
		s = m.Subscribe(id) // comes back while it lingers
		if u := receive(t, s); u.Certificate != first.Certificate {
			t.Errorf("found %v", u.Certificate)
		}
		pass(skew - 31*time.Second)
		if u := receive(t, s); u.Certificate == first.Certificate {
			t.Error("it is held back no less")
		}
		renewal(t, a)
		s.Close()
		pass(2 * time.Minute)
		if cert, ok := m.GetCertificate(id); ok {
			t.Errorf("%v is still there", cert)
		}
		if n := a.asked.Load(); n != 3 {
			t.Errorf("the issuer was asked %d times", n)
		}
	})
}

func TestTheInventoryShowsWhatIsServedWhileAnotherIsHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewPedanticRegistry()
		a := newSharp(t)
		m, _, first := startSkewed(t, issuer.Options{Metrics: issuer.NewMetrics(registry)}, signs("a", a))
		registry.MustRegister(m)
		renewal(t, a)
		issued := time.Now()
		mustCount(t, registry, 1, 0, 0, first.Certificate.NotAfter().Unix())
		if n := testutil.ToFloat64(renewed(t, registry)); n != 0 {
			t.Errorf("%v are renewed, before another is served", n)
		}
		held := m.Holdings()[0]
		if late := held.RenewAt.Sub(issued); held.Certificate != first.Certificate || late < skew-3*time.Second || late > skew {
			t.Errorf("held is %v, to be replaced after %s", held.Certificate, late)
		}
		pass(skew)
		if held := m.Holdings()[0]; held.Certificate == first.Certificate || time.Until(held.RenewAt) < day/2-2*skew {
			t.Errorf("held is %v, to be replaced at %s", held.Certificate, held.RenewAt)
		}
		if n := testutil.ToFloat64(renewed(t, registry)); n != 1 {
			t.Errorf("%v are renewed", n)
		}
	})
}

// One that waits for the issuer does not stand in the way of one that has been issued.
func TestWhileAnIssuerFailsWhatItIssuedBeforeIsServedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newSharp(t)
		m, s, first := startSkewed(t, issuer.Options{}, signs("a", a))
		renewal(t, a)
		a.down.Store(true)
		for i := range 10 {
			subscribe(t, m, identityOf(t, fmt.Sprint("bookbuyer-", i)))
		}
		pass(skew - 3*time.Second)
		receiveNothing(t, s)
		pass(3 * time.Second)
		if u := receive(t, s); u.Certificate == first.Certificate || !m.Health().Open {
			t.Errorf("announced is %v", u.Certificate)
		}
	})
}
