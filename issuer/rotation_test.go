package issuer_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/test/testkit"
)

func TestWhileNoRootSignsTheBundleIsAnnouncedAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFake(t), newFake(t)
		m := startManager(t, issuer.Options{}, trusts(a), trusts(b))
		id := identityOf(t, "bookstore-v1")
		s := subscribe(t, m, id)
		if u := receive(t, s); u.Certificate != nil || !u.Bundle.Equal(bundleOf(t, a, b)) {
			t.Errorf("announced is %+v", u)
		}
		if _, err := m.IssueCertificate(t.Context(), id); !errors.Is(err, issuer.ErrNoRoot) {
			t.Errorf("error %v", err)
		}
		setTrust(t, m, trusts(a), signs("b", b))
		mustVerify(t, receive(t, s).Certificate, bundleOf(t, b))
	})
}

func TestWhatWasIssuedIsServedWhileNoRootSignsAndNotIssuedAnewByTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFake(t), newFake(t)
		m := startManager(t, issuer.Options{}, signs("a", a))
		s := subscribe(t, m, identityOf(t, "bookstore-v1"))
		before := receive(t, s)
		setTrust(t, m, trusts(a), trusts(b))
		if u := receive(t, s); u.Certificate != before.Certificate {
			t.Errorf("announced is %+v", u)
		}
		setTrust(t, m, signs("a", a), trusts(b))
		pass(time.Hour)
		receiveNothing(t, s)
		if n := a.asked.Load(); n != 1 {
			t.Errorf("%d certificates were issued", n)
		}
	})
}

func TestCertificatesOfARootThatIsNotTrustedAreNotServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFake(t), newFake(t)
		m := startManager(t, issuer.Options{}, signs("a", a))
		id := identityOf(t, "bookstore-v1")
		s := subscribe(t, m, id)
		receive(t, s)
		setTrust(t, m, trusts(b))
		if u := receive(t, s); u.Certificate != nil {
			t.Error("it is announced")
		}
		if _, ok := m.GetCertificate(id); ok {
			t.Error("it is handed out")
		}
		setTrust(t, m, signs("b", b))
		mustVerify(t, receive(t, s).Certificate, bundleOf(t, b))
	})
}

func TestReplacingCertificatesTakesTheLongerTheMoreThereAre(t *testing.T) {
	tests := map[string]struct {
		identities      int
		atLeast, atMost time.Duration
	}{
		"a few":      {4, 0, time.Second},
		"a thousand": {1000, 3 * time.Second, 6 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := newFake(t), newFake(t)
				m := startManager(t, issuer.Options{}, signs("a", a), trusts(b))
				for i := range test.identities {
					receive(t, subscribe(t, m, identityOf(t, fmt.Sprint("bookstore-", i))))
				}
				setTrust(t, m, trusts(a), signs("b", b))
				started := time.Now()
				for {
					current, total := m.Progress()
					if total != test.identities {
						t.Fatalf("%d identities", total)
					}
					if current == total {
						break
					}
					pass(100 * time.Millisecond)
				}
				if took := time.Since(started); took < test.atLeast || took > test.atMost {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

func TestALeakedRootsCertificatesAreReplacedWithoutDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFake(t), newFake(t)
		m := startManager(t, issuer.Options{}, signs("a", a), trusts(b))
		for i := range 1000 {
			receive(t, subscribe(t, m, identityOf(t, fmt.Sprint("bookstore-", i))))
		}
		setTrust(t, m, signs("b", b))
		pass(time.Millisecond)
		if current, total := m.Progress(); current != total {
			t.Errorf("%d of %d are replaced", current, total)
		}
	})
}

func TestNoCertificateOutlivesWhatIsKnownOfTheRoots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startManager(t, issuer.Options{TTL: 24 * time.Hour}, signs("a", testkit.CA(t)))
		id := identityOf(t, "bookstore-v1")
		lifetime := func() time.Duration {
			cert, err := m.RotateCertificate(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			return time.Until(cert.NotAfter()).Round(time.Minute)
		}
		for _, step := range []struct {
			name    string
			confirm bool
			after   time.Duration
			want    time.Duration
		}{
			{"never confirmed", false, time.Hour, 24 * time.Hour},
			{"just confirmed", true, 0, 24 * time.Hour},
			{"an hour ago", false, time.Hour, 23 * time.Hour},
			{"10 hours ago", false, 9 * time.Hour, 14 * time.Hour},
			{"30 hours ago", false, 20 * time.Hour, 6 * time.Hour},
			{"confirmed again", true, 0, 24 * time.Hour},
		} {
			pass(step.after)
			if step.confirm {
				m.Confirm(time.Now())
			}
			if got := lifetime(); got != step.want {
				t.Errorf("%s: %s, want %s", step.name, got, step.want)
			}
		}
	})
}
