package sds

import (
	"fmt"
	"strings"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

// held is how long tresor's certificates, which are valid since five minutes, are
// held back here.
const held = 10 * time.Minute

// rooted is an update as a Manager makes it.
func (a *authority) rooted(cert *issuer.Certificate) issuer.Update {
	u := a.update(cert)
	u.Root = a.ca.Root()
	return u
}

// sent returns the version that a proxy has which was sent the update.
func (a *authority) sent(u issuer.Update) string {
	c := newSotWClient(a.t, a)
	c.request(asks(ownCert, ownRoots))
	c.announce(u)
	return c.version
}

// earlier is the version of a certificate that was issued a minute before.
func earlier(version string) string {
	p := parsePossession(version)
	if p == (possession{}) {
		return version
	}
	p.end -= 60
	name, _, _ := strings.Cut(version, ".")
	return p.in(name)
}

// bringing is a proxy that comes to another replica.
func (a *authority) bringing(version string) *sotwClient {
	c := newSotWClient(a.t, a)
	c.m.delays(issuer.ClockSkew + held)
	c.request(&discoveryv3.DiscoveryRequest{ResourceNames: []string{ownCert, ownRoots}, VersionInfo: version})
	return c
}

func (c *sotwClient) refresh() result {
	c.t.Helper()
	out, err := c.m.refresh(c.now)
	return c.result(out, err)
}

func TestAProxyKeepsWhatItHasUntilClocksThatAreBehindAcceptAnother(t *testing.T) {
	a := newAuthority(t)
	version := earlier(a.sent(a.rooted(a.certificate())))
	c, next := a.bringing(version), a.rooted(a.certificate())
	alone := c.announce(next)
	alone.check(t, "another replica's certificate", result{names: []string{ownRoots}})
	c.ack(alone.nonce, ownCert, ownRoots).check(t, "ACK of the bundle", result{acked: true})
	at := c.m.wake()
	if left := at.Sub(c.now); left < held-2*time.Second || left > held {
		t.Fatalf("it is sent after %s", left)
	}
	c.now = at.Add(-time.Second)
	c.refresh().check(t, "before that", result{})

	// It goes to another one once more, and has still the same.
	third := a.bringing(c.version)
	third.announce(a.rooted(a.certificate())).check(t, "a third replica's", result{names: []string{ownRoots}})

	c.now = at
	both := c.refresh()
	both.check(t, "then", result{names: []string{ownRoots, ownCert}})
	c.ack(both.nonce, ownCert, ownRoots).check(t, "ACK", result{acked: true, inUse: next.Version})
	if !c.m.wake().IsZero() {
		t.Error("there is more to wait for")
	}
	c.announce(a.rooted(a.certificate())).check(t, "what is announced later is to be served", result{names: []string{ownRoots, ownCert}})
}

func TestDeltaKeepsWhatAProxyHasToo(t *testing.T) {
	a := newAuthority(t)
	before := newDelta(a.id, "tag")
	_, err := before.request(adds(ownCert, ownRoots), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	sent, err := before.announce(a.rooted(a.certificate()), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	request := adds(ownCert, ownRoots)
	request.InitialResourceVersions = map[string]string{}
	for _, r := range sent.response.GetResources() {
		request.InitialResourceVersions[r.GetName()] = earlier(r.GetVersion())
	}
	c := newDeltaClient(t, a)
	c.m.delays(issuer.ClockSkew + held)
	c.request(request)
	next := a.rooted(a.certificate())
	c.announce(next).check(t, "another replica's certificate", result{})
	c.now = c.m.wake()
	out, err := c.m.refresh(c.now)
	then := c.result(out, err)
	then.check(t, "then", result{names: []string{ownCert}})
	c.ack(then.nonce).check(t, "ACK", result{acked: true, inUse: next.Version})
}

func TestAProxyThatHasNothingGoodIsNotKeptWaiting(t *testing.T) {
	a := newAuthority(t)
	first := a.rooted(a.certificate())
	version := earlier(a.sent(first))
	short := strings.Split(version, ".")
	in := func(end any, root string) string { return fmt.Sprintf("%s.%v.%s", short[0], end, root) }
	tests := map[string]struct {
		version string
		update  func(*authority, *sotwClient) issuer.Update
	}{
		"none":                   {"", nil},
		"an earlier release's":   {short[0], nil},
		"garbage":                {"a.b.c", nil},
		"an end beyond all":      {in("99999999999999999999999", short[2]), nil},
		"an end before all":      {in(-1<<62, short[2]), nil},
		"one that has ended":     {in(time.Now().Add(-time.Second).Unix(), short[2]), nil},
		"one of an unknown root": {in(short[1], "0badcafe0badcafe"), nil},
		"one of no root":         {in(short[1], ""), nil},
		"one that ends now": {version, func(a *authority, c *sotwClient) issuer.Update {
			c.now = time.Unix(parsePossession(version).end, 0)
			return a.rooted(a.certificate())
		}},
		"one of a revoked root": {version, func(a *authority, _ *sotwClient) issuer.Update {
			a.newRoot()
			u := a.rooted(a.certificate())
			u.Bundle = trustbundle.New(a.ca.Root())
			return u
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a := *a
			c := a.bringing(test.version)
			update := a.rooted
			if test.update != nil {
				update = func(*issuer.Certificate) issuer.Update { return test.update(&a, c) }
			}
			u := update(a.certificate())
			c.announce(u).check(t, "the first", result{names: []string{ownRoots, ownCert}})
		})
	}
	t.Run("until its root is revoked", func(t *testing.T) {
		c := a.bringing(version)
		c.announce(a.rooted(a.certificate())).check(t, "before", result{names: []string{ownRoots}})
		a.newRoot()
		u := a.rooted(a.certificate())
		u.Bundle = trustbundle.New(a.ca.Root())
		c.announce(u).check(t, "then", result{names: []string{ownRoots, ownCert}})
	})
	t.Run("whatever end it claims", func(t *testing.T) {
		c := a.bringing(in(1<<40, nameOfRoot(a.ca.Root())))
		c.announce(a.rooted(a.certificate()))
		if left := c.m.wake().Sub(c.now); left > held {
			t.Errorf("it waits for %s", left)
		}
	})
}

func TestAProxyThatComesBackWithTheSameIsSentNothing(t *testing.T) {
	a := newAuthority(t)
	u := a.rooted(a.certificate())
	c := a.bringing(a.sent(u))
	c.announce(u).check(t, "the same", result{inUse: u.Version})
}
