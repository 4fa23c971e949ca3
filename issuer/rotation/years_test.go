package rotation_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/test/testkit"
)

const (
	lifetime = 30 * 24 * time.Hour
	year     = 365 * 24 * time.Hour
	proxies  = 10
)

// replica is a Manager that follows the record, with the roots that it holds.
type replica struct {
	*issuer.Manager
	subscriptions []*issuer.Subscription
	latest        []issuer.Update // by proxy
}

// ca is a root that can sign.
type ca struct {
	*tresor.CA
	bundle trustbundle.TrustBundle
}

func newCA(t *testing.T) ca {
	t.Helper()
	c := testkit.CA(t)
	return ca{c, trustbundle.New(c.Root())}
}

func startReplica(t *testing.T) *replica {
	t.Helper()
	m := issuer.NewManager(issuer.Options{TTL: lifetime, Concurrency: 1, LongestSleep: 24 * time.Hour, Logger: slog.New(slog.DiscardHandler)})
	r := &replica{Manager: m, latest: make([]issuer.Update, proxies)}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = m.Run(ctx) // never fails
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	for i := range proxies {
		id, err := identity.New("cluster.local", "shop", fmt.Sprint("web-", i))
		if err != nil {
			t.Fatal(err)
		}
		r.subscriptions = append(r.subscriptions, m.Subscribe(id))
	}
	return r
}

// follow signs with the newest of the roots that may.
func (r *replica) follow(t *testing.T, s rotation.State, roots ...ca) {
	t.Helper()
	var signer issuer.Signer
	for i := len(roots) - 1; i >= 0; i-- {
		if s.MaySign(roots[i].bundle, time.Now().Add(lifetime)) {
			signer = issuer.Signer{Name: "root", Issuer: roots[i], Roots: roots[i].bundle}
			break
		}
	}
	if err := r.SetTrust(s.Bundle(), signer); err != nil {
		t.Fatal(err)
	}
}

// receive has the proxies take in what was announced.
func (r *replica) receive() {
	for i, s := range r.subscriptions {
		select {
		case u := <-s.Updates():
			s.Ack(u.Version)
			r.latest[i] = u
		default:
		}
	}
}

// mustAccept fails unless every proxy of each replica accepts every one of both.
func mustAccept(t *testing.T, when string, replicas ...*replica) {
	t.Helper()
	for _, r := range replicas {
		for _, client := range r.latest {
			roots := client.Bundle.Pool()
			for _, other := range replicas {
				server := other.latest[0].Certificate
				if server == nil {
					t.Fatalf("%s: a proxy has no certificate", when)
				}
				options := x509.VerifyOptions{Roots: roots, CurrentTime: time.Now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
				if _, err := server.Leaf().Verify(options); err != nil {
					t.Fatalf("%s: %v", when, err)
				}
			}
		}
	}
}

// TestTenYearsOfRotationsAndRenewalsWithoutARefusal has two replicas that take
// in each step at different times, and proxies that are as late to take in what
// they are sent.
func TestTenYearsOfRotationsAndRenewalsWithoutARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := startReplica(t), startReplica(t)
		current := newCA(t)
		var state rotation.State
		next := func(acknowledged, reissued bool) {
			w := rotation.Wanted{Signer: current.bundle, Trusted: map[string]trustbundle.TrustBundle{"root": current.bundle}}
			state = state.Next(w, rotation.Situation{
				Now: time.Now(), Acknowledged: acknowledged, Reissued: reissued,
				AckTimeout: time.Hour, RetirementPeriod: lifetime + issuer.ClockSkew,
			})
		}
		pass := func(d time.Duration, when string) {
			time.Sleep(d)
			synctest.Wait()
			one.receive()
			two.receive()
			mustAccept(t, when, one, two)
		}
		next(false, false)
		one.follow(t, state, current)
		two.follow(t, state, current)
		pass(time.Minute, "at first")
		for y := range 10 {
			when := fmt.Sprintf("year %d: ", y)
			for range 12 {
				pass(year/13, when+"between rotations")
			}
			former := current
			current = newCA(t)
			next(false, false)
			one.follow(t, state, former, current)
			pass(time.Minute, when+"one replica distributes")
			two.follow(t, state, former, current)
			pass(time.Minute, when+"both distribute")
			next(true, false)
			two.follow(t, state, former, current)
			pass(time.Minute, when+"one signs with the new root, the other with the former")
			one.follow(t, state, former, current)
			pass(time.Minute, when+"both sign with the new root")
			next(false, true)
			pass(lifetime, when+"the former root retires")
			pass(time.Hour, when+"it has retired")
			next(false, false)
			if n := len(state.Bundle().Roots()); n != 1 {
				t.Fatalf("%s%d roots are trusted", when, n)
			}
			one.follow(t, state, current)
			pass(time.Minute, when+"one replica drops it")
			two.follow(t, state, current)
			pass(time.Minute, when+"both have dropped it")
		}
	})
}
