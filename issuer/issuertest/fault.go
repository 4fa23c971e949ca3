package issuertest

import (
	"context"
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer"
)

// timeout is how long a caller waits for an issuer that is down.
const timeout = 5 * time.Second

// deviation wants no certificate at all rather than another one.
func (s suite) deviation(t *testing.T, ca issuer.Issuer) {
	req := serviceRequest(t, s.KeyAlgorithms[0], "bookstore-v2")
	if chain, err := ca.Issue(t.Context(), req, ttl); err == nil {
		t.Errorf("it returned a certificate of %s, names %q and %q", chain[0].Subject, chain[0].DNSNames, chain[0].URIs)
	}
}

// outage wants an error while the authority is away, within the caller's
// time, and certificates of the same issuer as soon as it is back.
func (s suite) outage(t *testing.T) {
	ca := s.newIssuer(t)
	s.issueFrom(t, ca)
	end := s.Outage(t)
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	asked := time.Now()
	if _, err := ca.Issue(ctx, serviceRequest(t, s.KeyAlgorithms[0], "bookstore-v2"), ttl); err == nil {
		t.Error("it issues while it is away")
	}
	if took := time.Since(asked); took > timeout+time.Second {
		t.Errorf("it took %s to give up", took)
	}
	end()
	s.issueFrom(t, ca)
}

func (s suite) issueFrom(t *testing.T, ca issuer.Issuer) {
	t.Helper()
	req := serviceRequest(t, s.KeyAlgorithms[0], "bookstore-v2")
	chain, err := ca.Issue(t.Context(), req, ttl)
	if err != nil {
		t.Fatal(err)
	}
	checkNames(t, chain, req)
}
