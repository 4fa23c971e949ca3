package sds

import (
	"errors"
	"fmt"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

const (
	ownCert  = "service-cert:bookstore/bookstore-v2"
	ownRoots = "root-cert-for-mtls-inbound:bookstore/bookstore-v2"
)

// authority makes updates as an issuer.Manager would.
type authority struct {
	t       testing.TB
	id      identity.Identity
	ca      *tresor.CA
	bundle  trustbundle.TrustBundle
	version uint64
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{t: t, id: identityOf(t, "bookstore", "bookstore-v2")}
	a.newRoot()
	return a
}

func (a *authority) newRoot() {
	a.t.Helper()
	root, key, err := tresor.NewRoot()
	if err != nil {
		a.t.Fatal(err)
	}
	if a.ca, err = tresor.New(root, key); err != nil {
		a.t.Fatal(err)
	}
	a.bundle = a.bundle.Union(trustbundle.New(root))
}

func (a *authority) certificate() *issuer.Certificate {
	a.t.Helper()
	req, err := issuer.NewServiceRequest(issuer.ECDSAP256, a.id)
	if err != nil {
		a.t.Fatal(err)
	}
	chain, err := a.ca.Issue(a.t.Context(), req, time.Hour)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := req.Certificate(chain)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert
}

func (a *authority) update(cert *issuer.Certificate) issuer.Update {
	a.version++
	return issuer.Update{Version: a.version, Certificate: cert, Bundle: a.bundle}
}

// result is what both protocols have in common of a step.
type result struct {
	names         []string // of the response's secrets, nil without a response
	nonce         string
	inUse         uint64
	acked, nacked bool
	refusal       Reason
}

func (r result) check(t *testing.T, what string, want result) {
	t.Helper()
	r.nonce, want.nonce = "", ""
	if fmt.Sprint(r) != fmt.Sprint(want) {
		t.Fatalf("%s: %+v, want %+v", what, r, want)
	}
}

func refusalOf(t testing.TB, err error) Reason {
	t.Helper()
	if err == nil {
		return ""
	}
	refusal, ok := errors.AsType[*Refusal](err)
	if !ok {
		t.Fatalf("%v is not a refusal", err)
	}
	return refusal.Reason
}

// sotwClient drives a state-of-the-world machine as a proxy does.
type sotwClient struct {
	t       testing.TB
	m       *sotw
	now     time.Time
	version string // of the last response
}

func (c *sotwClient) request(r *discoveryv3.DiscoveryRequest) result {
	c.t.Helper()
	out, err := c.m.request(r, c.now)
	return c.result(out, err)
}

func (c *sotwClient) announce(u issuer.Update) result {
	c.t.Helper()
	out, err := c.m.announce(u, c.now)
	return c.result(out, err)
}

func (c *sotwClient) result(out sotwStep, err error) result {
	c.t.Helper()
	r := result{inUse: out.inUse, acked: out.acked, nacked: out.nacked, refusal: refusalOf(c.t, err)}
	if out.response != nil {
		c.version = out.response.GetVersionInfo()
		r.nonce = out.response.GetNonce()
		for _, resource := range out.response.GetResources() {
			r.names = append(r.names, secretName(c.t, resource))
		}
	}
	return r
}

// deltaClient drives an incremental machine as a proxy does.
type deltaClient struct {
	t   testing.TB
	m   *delta
	now time.Time
}

func (c *deltaClient) request(r *discoveryv3.DeltaDiscoveryRequest) result {
	c.t.Helper()
	out, err := c.m.request(r, c.now)
	return c.result(out, err)
}

func (c *deltaClient) announce(u issuer.Update) result {
	c.t.Helper()
	out, err := c.m.announce(u, c.now)
	return c.result(out, err)
}

func (c *deltaClient) result(out deltaStep, err error) result {
	c.t.Helper()
	r := result{inUse: out.inUse, acked: out.acked, nacked: out.nacked, refusal: refusalOf(c.t, err)}
	if out.response != nil {
		r.nonce = out.response.GetNonce()
		for _, resource := range out.response.GetResources() {
			r.names = append(r.names, resource.GetName())
		}
	}
	return r
}
