package issuer_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/test/testkit"
)

func TestACertificateIsIssuedOnceAndThenFound(t *testing.T) {
	fake := newFake(t)
	m := newManager(t, issuer.Options{}, signs("a", fake))
	id := identityOf(t, "bookstore-v1")

	if _, ok := m.GetCertificate(id); ok {
		t.Fatal("a certificate was there before it was issued")
	}
	first, err := m.IssueCertificate(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	again, err := m.IssueCertificate(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	got, ok := m.GetCertificate(id)
	if !ok || got != first || again != first || fake.asked.Load() != 1 {
		t.Errorf("issued %v, then %v, found %v; the issuer was asked %d times", first, again, got, fake.asked.Load())
	}
	if _, ok := m.GetCertificate(identityOf(t, "bookstore-v2")); ok {
		t.Error("another identity has a certificate too")
	}
	mustVerify(t, first, m.Bundle())
}

func TestRotationReplacesACertificateAndTellsItsSubscribers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startManager(t, issuer.Options{}, signs("a", testkit.CA(t)))
		id := identityOf(t, "bookstore-v1")
		s := subscribe(t, m, id)
		before := receive(t, s)
		rotated, err := m.RotateCertificate(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		after := receive(t, s)
		if after.Certificate != rotated || serial(rotated) == serial(before.Certificate) || after.Version <= before.Version {
			t.Errorf("before %+v, rotated to %v, announced %+v", before, rotated, after)
		}
	})
}

func TestAFailedRotationChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, down := newFake(t), atomic.Bool{}
		fake.before = failWhile(&down)
		m := startManager(t, issuer.Options{}, signs("a", fake))
		id := identityOf(t, "bookstore-v1")
		s := subscribe(t, m, id)
		before := receive(t, s)

		down.Store(true)
		if _, err := m.RotateCertificate(t.Context(), id); !errors.Is(err, errDown) {
			t.Fatalf("error %v, want %v", err, errDown)
		}
		if got, _ := m.GetCertificate(id); got != before.Certificate {
			t.Errorf("the certificate is %v, was %v", got, before.Certificate)
		}
		down.Store(false)
		pass(11 * time.Hour)
		receiveNothing(t, s)
		pass(5 * time.Hour) // renewed as if nothing had happened
		receive(t, s)
	})
}

func TestNothingIsIssuedBeforeThereIsARoot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startManager(t, issuer.Options{})
		id := identityOf(t, "bookstore-v1")
		if _, err := m.IssueCertificate(t.Context(), id); !errors.Is(err, issuer.ErrNoRoot) {
			t.Errorf("error %v, want %v", err, issuer.ErrNoRoot)
		}
		s := subscribe(t, m, id)
		pass(time.Hour)
		receiveNothing(t, s)
		setTrust(t, m, signs("a", testkit.CA(t)))
		receive(t, s) // without waiting for a retry
	})
}

func TestAHundredWhoAskAtOnceShareOneIssuance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		fake.before = takes(time.Second)
		m := newManager(t, issuer.Options{}, signs("a", fake))
		got := askAtOnce(t, m, identityOf(t, "bookstore-v1"), 100)
		for _, cert := range got {
			if cert == nil || cert != got[0] {
				t.Fatalf("one got %v, another %v", got[0], cert)
			}
		}
		if n := fake.asked.Load(); n != 1 {
			t.Errorf("the issuer was asked %d times", n)
		}
	})
}

// In real time those who ask also come at the moment when the issuance ends.
func TestThoseWhoAskNeverIssueTwice(t *testing.T) {
	fake := newFake(t)
	m := newManager(t, issuer.Options{}, signs("a", fake))
	const identities = 200
	for i := range identities {
		askAtOnce(t, m, identityOf(t, fmt.Sprint("bookstore-", i)), 8)
	}
	if n := fake.asked.Load(); n != identities {
		t.Errorf("the issuer was asked %d times for %d identities", n, identities)
	}
}

func askAtOnce(t *testing.T, m *issuer.Manager, id identity.Identity, callers int) []*issuer.Certificate {
	t.Helper()
	got := make([]*issuer.Certificate, callers)
	var group sync.WaitGroup
	for i := range got {
		group.Go(func() {
			cert, err := m.IssueCertificate(t.Context(), id)
			if err != nil {
				t.Error(err)
			}
			got[i] = cert
		})
	}
	group.Wait()
	return got
}

func TestACallerWhoGivesUpLeavesTheOthersAlone(t *testing.T) {
	for name, givesUp := range map[string]int{"who came first": 0, "who came later": 1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t)
				fake.before = takes(10 * time.Second)
				m := newManager(t, issuer.Options{}, signs("a", fake))
				id := identityOf(t, "bookstore-v1")
				impatient, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()

				var group sync.WaitGroup
				for i := range 5 {
					ctx := t.Context()
					if i == givesUp {
						ctx = impatient
					}
					group.Go(func() {
						cert, err := m.IssueCertificate(ctx, id)
						if i == givesUp && (!errors.Is(err, context.DeadlineExceeded) || ctx.Err() == nil) {
							t.Errorf("who gave up got %v, %v", cert, err)
						}
						if i != givesUp && err != nil {
							t.Errorf("who waited got %v", err)
						}
					})
					synctest.Wait() // so that they come in order
				}
				group.Wait()
				if n := fake.asked.Load(); n > 2 {
					t.Errorf("the issuer was asked %d times", n)
				}
			})
		})
	}
}

func TestAnIssuerThatHangsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		fake.before = func(ctx context.Context) error {
			if fake.asked.Load() > 1 {
				return nil
			}
			return takes(time.Hour)(ctx)
		}
		m := startManager(t, issuer.Options{Concurrency: 1}, signs("a", fake))
		hangs, waits := subscribe(t, m, identityOf(t, "hangs")), subscribe(t, m, identityOf(t, "waits"))
		pass(30*time.Second - time.Millisecond)
		receiveNothing(t, waits)
		pass(time.Second + time.Millisecond)
		receive(t, waits)
		receive(t, hangs)
	})
}

func TestACallerWaitsForAnIssuerThatHangsForThirtySeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		fake.before = takes(time.Hour)
		m := newManager(t, issuer.Options{}, signs("a", fake))
		asked := time.Now()
		_, err := m.IssueCertificate(t.Context(), identityOf(t, "bookstore-v1"))
		if took := time.Since(asked); err == nil || took != 30*time.Second {
			t.Errorf("after %s the error is %v", took, err)
		}
	})
}

func TestRunEndsWithItsContextAndWaitsForWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t)
		fake.before = func(ctx context.Context) error {
			<-ctx.Done()
			<-time.After(time.Second) // for its answer to arrive, say
			return ctx.Err()
		}
		m := newManager(t, issuer.Options{Concurrency: 1}, signs("a", fake))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- m.Run(ctx) }()
		for _, name := range []string{"bookbuyer", "bookstore-v1", "bookstore-v2"} {
			subscribe(t, m, identityOf(t, name))
		}
		synctest.Wait()

		cancel()
		stopped := time.Now()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		if took := time.Since(stopped); took != time.Second {
			t.Errorf("Run ended after %s", took)
		}
		if n := fake.asked.Load(); n != 1 {
			t.Errorf("the issuer was asked %d times; once before Run was to end", n)
		}
	})
}

func TestRunGoesOnWhereAnEarlierRunEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, issuer.Options{}, signs("a", testkit.CA(t)))
		s := subscribe(t, m, identityOf(t, "bookstore-v1"))
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), 16*time.Hour)
			if err := m.Run(ctx); err != nil {
				t.Fatal(err)
			}
			cancel()
			receive(t, s)
		}
	})
}

var (
	errDown    = errors.New("the issuer is down")
	errRefused = fmt.Errorf("%w: the name is not allowed", issuer.ErrRefused)
)

func failWhile(down *atomic.Bool) func(context.Context) error {
	return func(context.Context) error {
		if down.Load() {
			return errDown
		}
		return nil
	}
}

func TestARotationIsNotServedByTheIssuanceBeforeIt(t *testing.T) {
	m := newManager(t, issuer.Options{}, signs("root", testkit.CA(t)))
	id := identityOf(t, "bookstore-v2")
	s := m.Subscribe(id)
	defer s.Close()
	for range 1000 {
		first := make(chan error, 1)
		go func() {
			_, err := m.RotateCertificate(t.Context(), id)
			first <- err
		}()
		announced := <-s.Updates()
		rotated, err := m.RotateCertificate(t.Context(), id)
		if err = errors.Join(err, <-first); err != nil {
			t.Fatal(err)
		}
		if rotated == announced.Certificate {
			t.Fatal("a rotation returned the certificate that was announced before it began")
		}
		<-s.Updates()
	}
}

func TestARootThatIsReplacedWhileACertificateIsKeptSignsAllTheSame(t *testing.T) {
	m := startManager(t, issuer.Options{}, signs("root", testkit.CA(t)))
	s := m.Subscribe(identityOf(t, "bookstore-v2"))
	defer s.Close()
	within := time.After(time.Minute)
	for range 300 {
		ca := testkit.CA(t)
		setTrust(t, m, signs("root", ca))
		for signed := false; !signed; {
			select {
			case u := <-s.Updates():
				signed = u.Certificate != nil && u.Certificate.Leaf().CheckSignatureFrom(ca.Root()) == nil
			case <-within:
				t.Fatal("the new root never signed a certificate")
			}
		}
	}
}

func TestTheZeroIdentityGetsNoCertificate(t *testing.T) {
	var id identity.Identity
	if _, err := issuer.NewServiceRequest(issuer.DefaultKeyAlgorithm, id); err == nil {
		t.Error("a certificate was requested for it")
	}
	if cert, err := newManager(t, issuer.Options{}, signs("a", testkit.CA(t))).IssueCertificate(t.Context(), id); err == nil {
		t.Errorf("it got %v", cert)
	}
}
