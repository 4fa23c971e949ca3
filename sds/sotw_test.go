package sds

import (
	"strings"
	"testing"
	"time"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/types/known/anypb"
)

func secretName(t testing.TB, resource *anypb.Any) string {
	t.Helper()
	return secretOf(t, resource).GetName()
}

func secretOf(t testing.TB, resource *anypb.Any) *tlsv3.Secret {
	t.Helper()
	secret := &tlsv3.Secret{}
	if err := resource.UnmarshalTo(secret); err != nil {
		t.Fatal(err)
	}
	return secret
}

func newSotWClient(t testing.TB, a *authority) *sotwClient {
	return &sotwClient{t: t, m: newSotW(a.id, "tag"), now: time.Now()}
}

func asks(names ...string) *discoveryv3.DiscoveryRequest {
	return &discoveryv3.DiscoveryRequest{ResourceNames: names, TypeUrl: secretType}
}

// ack answers the last response.
func (c *sotwClient) ack(nonce string, names ...string) result {
	c.t.Helper()
	return c.request(&discoveryv3.DiscoveryRequest{ResourceNames: names, TypeUrl: secretType, ResponseNonce: nonce, VersionInfo: c.version})
}

func (c *sotwClient) nack(nonce, version string, names ...string) result {
	c.t.Helper()
	return c.request(&discoveryv3.DiscoveryRequest{
		ResourceNames: names, TypeUrl: secretType, ResponseNonce: nonce, VersionInfo: version,
		ErrorDetail: &statuspb.Status{Message: "not for me"},
	})
}

func TestSotWSendsEverySecretAndAcknowledgesTheUpdate(t *testing.T) {
	a := newAuthority(t)
	c := newSotWClient(t, a)
	c.request(asks(ownRoots, ownCert)).check(t, "before the first update", result{})
	pushed := c.announce(a.update(a.certificate()))
	pushed.check(t, "first update", result{names: []string{ownRoots, ownCert}})
	c.ack(pushed.nonce, ownCert, ownRoots).check(t, "ACK", result{acked: true, inUse: 1})
	c.ack(pushed.nonce, ownCert, ownRoots).check(t, "the same ACK again", result{})
}

func TestSotWAnswersARequestFromWhatItHas(t *testing.T) {
	a := newAuthority(t)
	c := newSotWClient(t, a)
	c.announce(a.update(a.certificate())).check(t, "an update before the first request", result{})
	c.request(asks(ownCert)).check(t, "first request", result{names: []string{ownCert}})
}

func TestSotWPushesWithoutWaitingForAnAnswer(t *testing.T) {
	a := newAuthority(t)
	c := newSotWClient(t, a)
	c.request(asks(ownCert))
	first := c.announce(a.update(a.certificate()))
	second := c.announce(a.update(a.certificate()))
	second.check(t, "second update", result{names: []string{ownCert}})
	c.ack(first.nonce, ownCert).check(t, "a stale ACK", result{})
	c.ack(second.nonce, ownCert).check(t, "the last ACK", result{acked: true, inUse: 2})
}

func TestSotWIgnoresARequestWithAStaleNonce(t *testing.T) {
	a := newAuthority(t)
	c := newSotWClient(t, a)
	c.request(asks(ownCert))
	first := c.announce(a.update(a.certificate()))
	c.announce(a.update(a.certificate()))
	c.nack(first.nonce, "", ownCert, ownRoots).check(t, "a stale NACK that adds a name", result{})
	if len(c.m.secrets) != 1 {
		t.Fatalf("a stale request changed the names to %v", c.m.names())
	}
}

func TestSotWRefusesANonceThatItNeverSent(t *testing.T) {
	a := newAuthority(t)
	for _, nonce := range []string{"tag.2", "tag.0", "tag.01", "tag.-1", "tag.", "tag", "1", "other.1", "tag.1 ", strings.Repeat("x", 10_000)} {
		c := newSotWClient(t, a)
		c.request(asks(ownCert))
		c.announce(a.update(a.certificate()))
		c.ack(nonce, ownCert).check(t, nonce, result{refusal: ReasonProtocol})
	}
}

func TestSotWDoesNotAnswerANACKBeforeThereIsSomethingNew(t *testing.T) {
	a := newAuthority(t)
	c := newSotWClient(t, a)
	c.request(asks(ownCert, ownRoots))
	pushed := c.announce(a.update(a.certificate()))
	c.nack(pushed.nonce, "", ownCert, ownRoots).check(t, "NACK", result{nacked: true})
	c.nack(pushed.nonce, "", ownCert, ownRoots).check(t, "the same NACK again", result{})
	rejected := a.update(nil)
	rejected.Certificate = c.m.update.Certificate
	c.announce(rejected).check(t, "an update of the same content", result{})
	again := c.announce(a.update(a.certificate()))
	again.check(t, "an update of other content", result{names: []string{ownRoots, ownCert}})
	c.ack(again.nonce, ownCert, ownRoots).check(t, "ACK of that", result{acked: true, inUse: 3})
}

func TestSotWTakesAnotherVersionWithoutAnErrorForANACK(t *testing.T) {
	a := newAuthority(t)
	c := newSotWClient(t, a)
	c.request(asks(ownCert))
	pushed := c.announce(a.update(a.certificate()))
	c.version = "an older one"
	c.ack(pushed.nonce, ownCert).check(t, "old version", result{nacked: true})
}

func TestSotWAnswersNamesThatAreAdded(t *testing.T) {
	a := newAuthority(t)
	c := newSotWClient(t, a)
	c.request(asks(ownCert))
	pushed := c.announce(a.update(a.certificate()))
	more := c.ack(pushed.nonce, ownCert, ownRoots)
	more.check(t, "ACK with a name more", result{names: []string{ownRoots, ownCert}, acked: true})
	less := c.ack(more.nonce, ownRoots)
	less.check(t, "ACK with a name less", result{acked: true, inUse: 1})
	back := c.ack(more.nonce, ownRoots, ownCert)
	back.check(t, "the name again", result{names: []string{ownRoots, ownCert}})
	c.ack(back.nonce).check(t, "no names any more", result{acked: true})
	c.announce(a.update(a.certificate())).check(t, "an update then", result{})
}

func TestSotWSendsNothingTwiceToAProxyThatComesBack(t *testing.T) {
	a := newAuthority(t)
	cert := a.certificate()
	before := newSotWClient(t, a)
	before.request(asks(ownCert, ownRoots))
	before.announce(a.update(cert))

	back := func(version string, names ...string) (*sotwClient, result) {
		c := newSotWClient(t, a)
		c.request(&discoveryv3.DiscoveryRequest{ResourceNames: names, VersionInfo: version})
		return c, c.announce(a.update(cert))
	}
	c, r := back(before.version, ownRoots, ownCert)
	r.check(t, "the same version", result{inUse: a.version})
	c.announce(a.update(a.certificate())).check(t, "a later update", result{names: []string{ownRoots, ownCert}})

	_, r = back(before.version, ownCert)
	r.check(t, "the version of other names", result{names: []string{ownCert}})
	_, r = back("unknown", ownCert, ownRoots)
	r.check(t, "another version", result{names: []string{ownRoots, ownCert}})
}

func TestSotWSendsNoExpiredCertificate(t *testing.T) {
	a := newAuthority(t)
	cert := a.certificate()
	c := newSotWClient(t, a)
	c.request(asks(ownCert, ownRoots))
	c.now = cert.NotAfter()
	c.announce(a.update(cert)).check(t, "an update that has expired", result{names: []string{ownRoots}})
	c.now = cert.NotAfter().Add(-time.Second)
	c.request(asks(ownCert)).check(t, "one that has not", result{names: []string{ownCert}})
	c.now = cert.NotAfter()
	c.request(asks(ownCert, ownRoots)).check(t, "one that expired since", result{names: []string{ownRoots}})
}

func TestSotWRefusesWhatIsNotForThisService(t *testing.T) {
	a := newAuthority(t)
	many := make([]string, maxNames+1)
	for i := range many {
		many[i] = "root-cert-for-mtls-outbound:ns/s" + strings.Repeat("x", i%50) + strings.Repeat("y", i/50)
	}
	cases := []struct {
		name    string
		request *discoveryv3.DiscoveryRequest
		refusal Reason
	}{
		{"another type", &discoveryv3.DiscoveryRequest{ResourceNames: []string{ownCert}, TypeUrl: "type.googleapis.com/envoy.config.cluster.v3.Cluster"}, ReasonProtocol},
		{"no name", asks(), ReasonProtocol},
		{"another's certificate", asks("service-cert:bookstore/other"), ReasonForeignSecret},
		{"one of several is another's", asks(ownCert, "service-cert:bookstore/other"), ReasonForeignSecret},
		{"an unknown name", asks("nonsense"), ReasonUnknownSecret},
		{"more names than a proxy needs", asks(many...), ReasonProtocol},
		{"a nonce before any response", &discoveryv3.DiscoveryRequest{ResourceNames: []string{ownCert}, ResponseNonce: "tag.1"}, ReasonProtocol},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			newSotWClient(t, a).request(c.request).check(t, c.name, result{refusal: c.refusal})
		})
	}
	t.Run("no type is the only type", func(t *testing.T) {
		c := newSotWClient(t, a)
		c.announce(a.update(a.certificate()))
		c.request(&discoveryv3.DiscoveryRequest{ResourceNames: []string{"default"}}).check(t, "request", result{names: []string{"default"}})
	})
}
