// Package issuertest holds certificate authorities to the contract of
// issuer.Issuer. It knows the contract and nothing of any one of them.
package issuertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
)

// Options says what a certificate authority grants.
type Options struct {
	// Backdate is how far in the past NotBefore lies at least; when zero it
	// only must not lie in the future.
	Backdate time.Duration
	// MaxTTL is the longest lifetime it grants, at least an hour; unlimited
	// when zero.
	MaxTTL time.Duration
	// KeyAlgorithms are those it certifies; P-256, RSA-2048 and Ed25519 when
	// empty.
	KeyAlgorithms []issuer.KeyAlgorithm
	// Outage takes the authority away and returns what brings it back; nil for
	// one that cannot be away.
	Outage func(t *testing.T) (end func())
	// Deviating makes issuers whose authority certifies something else than
	// was asked for, by what it does; none for one that cannot.
	Deviating map[string]func(t *testing.T) issuer.Issuer
}

const (
	// ttl is no number of whole hours, for issuers that round to them.
	ttl = 30*time.Minute + 30*time.Second

	// slack is how far the clock of an authority may be from this one, and how
	// long it may take.
	slack = 10 * time.Second
)

// suite is a run of Conformance.
type suite struct {
	Options
	newIssuer func(t *testing.T) issuer.Issuer
}

// Conformance tests that the issuers newIssuer makes fulfil the contract of
// issuer.Issuer. They may share one certificate authority.
func Conformance(t *testing.T, newIssuer func(t *testing.T) issuer.Issuer, o Options) {
	if len(o.KeyAlgorithms) == 0 {
		o.KeyAlgorithms = []issuer.KeyAlgorithm{issuer.ECDSAP256, issuer.RSA2048, issuer.Ed25519}
	}
	s := suite{o, newIssuer}
	t.Run("roots can be those of a mesh and stay the same", s.roots)
	for _, algorithm := range o.KeyAlgorithms {
		t.Run(fmt.Sprintf("a workload with a key of %s gets its certificate", algorithm), func(t *testing.T) {
			s.issue(t, serviceRequest(t, algorithm, "bookstore-v2"))
		})
	}
	t.Run("a workload of a name too long for a subject gets its certificate", func(t *testing.T) {
		s.issue(t, serviceRequest(t, o.KeyAlgorithms[0], "bookstore-of-a-name-that-no-common-name-of-64-octets-has-room-for"))
	})
	t.Run("a webhook gets its certificate", func(t *testing.T) {
		req, err := issuer.NewServingRequest(o.KeyAlgorithms[0], "osm-injector.osm-system.svc")
		if err != nil {
			t.Fatal(err)
		}
		s.issue(t, req)
	})
	t.Run("a lifetime is granted to the second or shortened in the certificate", s.lifetime)
	t.Run("a lifetime that is not positive is refused", s.noLifetime)
	t.Run("a caller that gives up gets an error at once", s.cancellation)
	t.Run("many who ask at once get certificates of their own", s.concurrency)
	for what, newIssuer := range o.Deviating {
		t.Run("an authority that "+what+" is refused", func(t *testing.T) { s.deviation(t, newIssuer(t)) })
	}
	if o.Outage != nil {
		t.Run("an outage is an error, and is over when it ends", s.outage)
	}
}

func serviceRequest(t *testing.T, algorithm issuer.KeyAlgorithm, serviceAccount string) *issuer.Request {
	t.Helper()
	id, err := identity.New("cluster.local", "bookstore", serviceAccount)
	if err != nil {
		t.Fatal(err)
	}
	req, err := issuer.NewServiceRequest(algorithm, id)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func (s suite) roots(t *testing.T) {
	ca := s.newIssuer(t)
	first, err := ca.Roots(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if first.IsEmpty() {
		t.Fatal("there is none")
	}
	for _, root := range first.Roots() {
		if err := issuer.CheckRoot(root, time.Now()); err != nil {
			t.Errorf("root %q: %v", root.Subject, err)
		}
	}
	again, err := ca.Roots(t.Context())
	if err != nil || !again.Equal(first) {
		t.Errorf("%v became %v, %v", first, again, err)
	}
}

func (s suite) issue(t *testing.T, req *issuer.Request) {
	ca := s.newIssuer(t)
	asked := time.Now()
	chain, err := ca.Issue(t.Context(), req, ttl)
	if err != nil {
		t.Fatal(err)
	}
	roots, err := ca.Roots(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	checkNames(t, chain, req)
	checkTrust(t, chain, req, roots)
	s.checkLife(t, chain[0], asked, ttl)
}

func (s suite) lifetime(t *testing.T) {
	ca := s.newIssuer(t)
	for _, asked := range []time.Duration{time.Minute + time.Second, time.Hour, 2 * s.MaxTTL} {
		if asked == 0 {
			continue
		}
		now := time.Now()
		chain, err := ca.Issue(t.Context(), serviceRequest(t, s.KeyAlgorithms[0], "bookstore-v2"), asked)
		if err != nil {
			t.Errorf("asked for %s: %v", asked, err)
			continue
		}
		s.checkLife(t, chain[0], now, asked)
	}
}

func (s suite) noLifetime(t *testing.T) {
	ca := s.newIssuer(t)
	for _, asked := range []time.Duration{0, -time.Hour} {
		chain, err := ca.Issue(t.Context(), serviceRequest(t, s.KeyAlgorithms[0], "bookstore-v2"), asked)
		if err == nil {
			t.Errorf("asked for %s, got a certificate until %s", asked, chain[0].NotAfter)
		}
	}
}

func (s suite) cancellation(t *testing.T) {
	ca := s.newIssuer(t)
	req := serviceRequest(t, s.KeyAlgorithms[0], "bookstore-v2")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	asked := time.Now()
	if _, err := ca.Issue(ctx, req, ttl); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	if took := time.Since(asked); took > time.Second {
		t.Errorf("it took %s", took)
	}
	if _, err := ca.Issue(t.Context(), req, ttl); err != nil {
		t.Errorf("the next caller gets: %v", err)
	}
}

func (s suite) concurrency(t *testing.T) {
	const callers = 32
	ca := s.newIssuer(t)
	serials := make(chan string, callers)
	var group sync.WaitGroup
	for i := range callers {
		req := serviceRequest(t, s.KeyAlgorithms[0], fmt.Sprint("bookstore-", i))
		group.Go(func() {
			chain, err := ca.Issue(t.Context(), req, ttl)
			if err != nil {
				t.Error(err)
				return
			}
			checkNames(t, chain, req)
			serials <- chain[0].SerialNumber.Text(16)
		})
	}
	group.Wait()
	close(serials)
	seen := map[string]bool{}
	for serial := range serials {
		if seen[serial] {
			t.Errorf("two certificates have serial number %s", serial)
		}
		seen[serial] = true
	}
}
