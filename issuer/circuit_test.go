package issuer_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/test/testkit"
)

// probes is how often an issuer may be asked that is away for that long: at
// first a few times until the circuit opens, by as many workers as there are,
// then after 1 s, 2 s and so on to a minute, all cut to their half at worst.
func probes(away time.Duration) int64 { return 4 + 3 + 7 + int64(away/(30*time.Second)) }

func TestAnOutageOfSixHoursCostsNoOneACertificate(t *testing.T) {
	const proxies, outage = 100, 6 * time.Hour
	for start := time.Duration(0); start < day; start += 3 * time.Hour {
		t.Run(fmt.Sprintf("from hour %d of a day", start/time.Hour), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake, down := newFake(t), atomic.Bool{}
				fake.before = failWhile(&down)
				m := startManager(t, issuer.Options{}, signs("a", fake))
				ids := make([]identity.Identity, proxies)
				for i := range ids {
					ids[i] = identityOf(t, fmt.Sprint("bookstore-", i))
					subscribe(t, m, ids[i])
				}
				stay := func(d time.Duration) {
					for end := time.Now().Add(d); time.Now().Before(end); {
						pass(10 * time.Minute)
						mustAllBeValid(t, m, ids)
					}
				}
				stay(day + start) // whose renewals have spread by then
				before := fake.asked.Load()
				down.Store(true)
				stay(outage)
				if n := fake.asked.Load() - before; n > probes(outage) {
					t.Errorf("the issuer was asked %d times while it was away, want %d at most", n, probes(outage))
				}
				down.Store(false)
				stay(day)
			})
		})
	}
}

func mustAllBeValid(t *testing.T, m *issuer.Manager, ids []identity.Identity) {
	t.Helper()
	for _, id := range ids {
		if _, ok := m.GetCertificate(id); !ok {
			t.Fatalf("%v has no certificate", id)
		}
	}
}

func TestAnIssuerThatIsBackServesAllWhoWaitedSoonAndFewAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const proxies, concurrency, took = 1000, 4, 10 * time.Millisecond
		fake, down := newFake(t), atomic.Bool{}
		var now, most atomic.Int64
		fake.before = func(ctx context.Context) error {
			defer now.Add(-1)
			most.Store(max(most.Load(), now.Add(1))) // the few that ask at once do not race for it in a bubble
			return errors.Join(takes(took)(ctx), failWhile(&down)(ctx))
		}
		down.Store(true)
		m := startManager(t, issuer.Options{Concurrency: concurrency}, signs("a", fake))
		subscriptions := make([]*issuer.Subscription, proxies)
		for i := range subscriptions {
			subscriptions[i] = subscribe(t, m, identityOf(t, fmt.Sprint("bookstore-", i)))
		}
		const away = time.Hour
		pass(away)
		if n := fake.asked.Load(); n > probes(away) {
			t.Errorf("the issuer was asked %d times while it was away, want %d at most", n, probes(away))
		}

		down.Store(false)
		pass(time.Until(m.Health().NextAttempt) + took) // the probe
		if n := most.Swap(0); n > concurrency {
			t.Errorf("%d asked at once when the issuer was away, want %d at most", n, concurrency)
		}
		pass(proxies / concurrency * took)
		for _, s := range subscriptions {
			receive(t, s)
		}
		if n := most.Load(); n > concurrency {
			t.Errorf("%d asked at once when the issuer was back, want %d at most", n, concurrency)
		}
	})
}

func TestWhileAnIssuerIsAwayItIsAskedOneProbeAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, down := newFake(t), atomic.Bool{}
		fake.before = func(ctx context.Context) error {
			return errors.Join(takes(10*time.Second)(ctx), failWhile(&down)(ctx))
		}
		down.Store(true)
		m := startManager(t, issuer.Options{}, signs("a", fake))
		for i := range 100 {
			subscribe(t, m, identityOf(t, fmt.Sprint("bookstore-", i)))
		}
		pass(time.Minute)
		before := fake.asked.Load()
		pass(time.Minute)
		if n := fake.asked.Load() - before; n < 1 || n > 6 {
			t.Errorf("in a minute it was asked %d times for ten seconds each", n)
		}
	})
}

// openCircuit returns a Manager whose issuer is away and is known to be. It
// comes back when down is no longer true.
func openCircuit(t *testing.T, o issuer.Options) (m *issuer.Manager, fake *fakeIssuer, down *atomic.Bool) {
	t.Helper()
	fake, down = newFake(t), new(atomic.Bool)
	fake.before = failWhile(down)
	m = startManager(t, o, signs("a", fake))
	down.Store(true)
	for range 3 {
		if _, err := m.IssueCertificate(t.Context(), identityOf(t, "bookbuyer")); !errors.Is(err, errDown) {
			t.Fatalf("error %v, want %v", err, errDown)
		}
	}
	return m, fake, down
}

func TestCallersAreToldAtOnceThatTheIssuerFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, fake, down := openCircuit(t, issuer.Options{})
		id := identityOf(t, "bookstore-v1")
		h := m.Health()
		_, err := m.IssueCertificate(t.Context(), id)
		want := fmt.Sprintf(`the issuer of root "a" fails since 2000-01-01T00:00:00Z and is asked again at %s: the issuer is down`,
			h.NextAttempt.UTC().Format(time.RFC3339))
		if !errors.Is(err, errDown) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
		if n := fake.asked.Load(); n != 3 {
			t.Errorf("the issuer was asked %d times", n)
		}
		down.Store(false)
		pass(time.Until(h.NextAttempt))
		if _, err := m.IssueCertificate(t.Context(), id); err != nil {
			t.Errorf("who comes when the issuer is asked again gets: %v", err)
		}
	})
}

func TestACallerWhoGivesUpSaysNothingOfTheIssuer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, fake, down := openCircuit(t, issuer.Options{})
		fake.before = takes(time.Minute)
		pass(time.Until(m.Health().NextAttempt))
		since := m.Health().Since
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := m.IssueCertificate(impatient, identityOf(t, "impatient")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if h := m.Health(); !h.Open || !h.Since.Equal(since) || !errors.Is(h.Err, errDown) {
			t.Errorf("the issuer is %v", h)
		}
		down.Store(false)
		fake.before = nil
		if _, err := m.IssueCertificate(t.Context(), identityOf(t, "next")); err != nil {
			t.Errorf("who comes next gets: %v", err)
		}
	})
}

func TestFailuresThatSpeakOfTheIssuerOpenTheCircuit(t *testing.T) {
	tests := map[string]struct {
		before func(context.Context) error
		maxTTL time.Duration
		open   bool
		reason string
	}{
		"it fails":                    {func(context.Context) error { return errDown }, 0, true, "the issuer is down"},
		"it does not answer":          {takes(time.Hour), 0, true, "the issuer did not answer within 30s"},
		"it certifies something else": {nil, time.Nanosecond, true, "ended"},
		"it refuses":                  {func(context.Context) error { return errRefused }, 0, false, ""},
		"it works":                    {nil, 0, false, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t)
				fake.before, fake.maxTTL = test.before, test.maxTTL
				m := startManager(t, issuer.Options{}, signs("a", fake))
				for i := range 10 {
					subscribe(t, m, identityOf(t, fmt.Sprint("bookstore-", i)))
				}
				pass(time.Minute)
				h := m.Health()
				if h.Root != "a" || h.Open != test.open {
					t.Errorf("the issuer is %v", h)
				}
				if test.open && !strings.Contains(h.Err.Error(), test.reason) {
					t.Errorf("failed with %v, want %s", h.Err, test.reason)
				}
			})
		})
	}
}

// stumbling is an issuer that fails over one identity and does not say that it
// refuses.
type stumbling struct {
	*tresor.CA
	over identity.Identity
}

func (s stumbling) Issue(ctx context.Context, req *issuer.Request, ttl time.Duration) ([]*x509.Certificate, error) {
	if slices.Contains(req.DNSNames(), s.over.CommonName()) {
		return nil, errDown
	}
	return s.CA.Issue(ctx, req, ttl)
}

func TestAnIdentityThatTheIssuerStumblesOverDoesNotHoldUpTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		block := identityOf(t, "stumbling-block")
		m := startManager(t, issuer.Options{}, signs("a", stumbling{testkit.CA(t), block}))
		s := subscribe(t, m, block)
		pass(time.Hour) // with no other caller to show that the issuer works
		if !m.Health().Open {
			t.Error("the circuit is closed")
		}
		others := make([]*issuer.Subscription, 5)
		for i := range others {
			others[i] = subscribe(t, m, identityOf(t, fmt.Sprint("bookstore-", i)))
		}
		pass(time.Minute)
		for _, other := range others {
			receive(t, other)
		}
		receiveNothing(t, s)
	})
}

func TestAnotherRootIsAskedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _, _ := openCircuit(t, issuer.Options{})
		setTrust(t, m, signs("b", testkit.CA(t)))
		if h := m.Health(); h.Open || h.Root != "b" {
			t.Errorf("the issuer is %v", h)
		}
		if _, err := m.IssueCertificate(t.Context(), identityOf(t, "bookstore-v1")); err != nil {
			t.Error(err)
		}
	})
}

func TestARootThatIsSetAgainIsAskedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, down := newFake(t), atomic.Bool{}
		fake.before = failWhile(&down)
		down.Store(true)
		m := startManager(t, issuer.Options{}, signs("a", fake))
		s := subscribe(t, m, identityOf(t, "bookstore-v1"))
		pass(time.Hour)
		down.Store(false)
		setTrust(t, m, signs("a", fake)) // with another token, say
		receive(t, s)
	})
}
