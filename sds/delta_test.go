package sds

import (
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
)

func newDeltaClient(t testing.TB, a *authority) *deltaClient {
	return &deltaClient{t: t, m: newDelta(a.id, "tag"), now: time.Now()}
}

func adds(names ...string) *discoveryv3.DeltaDiscoveryRequest {
	return &discoveryv3.DeltaDiscoveryRequest{ResourceNamesSubscribe: names, TypeUrl: secretType}
}

func (c *deltaClient) ack(nonce string) result {
	c.t.Helper()
	return c.request(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: secretType, ResponseNonce: nonce})
}

func (c *deltaClient) nack(nonce string) result {
	c.t.Helper()
	return c.request(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: secretType, ResponseNonce: nonce, ErrorDetail: &statuspb.Status{Message: "no"}})
}

func TestDeltaSendsOnlyWhatChanged(t *testing.T) {
	a := newAuthority(t)
	cert := a.certificate()
	c := newDeltaClient(t, a)
	c.request(adds(ownCert, ownRoots)).check(t, "before the first update", result{})
	first := c.announce(a.update(cert))
	first.check(t, "first update", result{names: []string{ownRoots, ownCert}})
	c.ack(first.nonce).check(t, "ACK", result{acked: true, inUse: 1})

	a.newRoot()
	trust := c.announce(a.update(cert))
	trust.check(t, "another bundle", result{names: []string{ownRoots}})
	c.ack(trust.nonce).check(t, "ACK", result{acked: true, inUse: 2})

	leaf := c.announce(a.update(a.certificate()))
	leaf.check(t, "another certificate", result{names: []string{ownCert}})
	c.ack(leaf.nonce).check(t, "ACK", result{acked: true, inUse: 3})

	same := a.update(c.m.update.Certificate)
	c.announce(same).check(t, "an update of the same content is in use already", result{inUse: 4})
}

func TestDeltaCountsEveryResponsesAnswer(t *testing.T) {
	a := newAuthority(t)
	cert := a.certificate()
	c := newDeltaClient(t, a)
	c.request(adds(ownCert, ownRoots))
	first := c.announce(a.update(cert))
	a.newRoot()
	second := c.announce(a.update(cert))
	c.ack(second.nonce).check(t, "the bundle alone", result{acked: true})
	c.ack(first.nonce).check(t, "then the certificate, of an older response", result{acked: true, inUse: 2})
}

func TestDeltaHonoursNamesUnderAStaleNonce(t *testing.T) {
	a := newAuthority(t)
	c := newDeltaClient(t, a)
	c.request(adds(ownCert))
	first := c.announce(a.update(a.certificate()))
	c.announce(a.update(a.certificate()))
	r := adds(ownRoots)
	r.ResponseNonce = first.nonce
	c.request(r).check(t, "a name more", result{names: []string{ownRoots}})
}

func TestDeltaRefusesANonceThatItNeverSent(t *testing.T) {
	a := newAuthority(t)
	c := newDeltaClient(t, a)
	c.request(adds(ownCert))
	c.announce(a.update(a.certificate()))
	c.ack("tag.2").check(t, "nonce", result{refusal: ReasonProtocol})
}

func TestDeltaDoesNotAnswerANACKBeforeThereIsSomethingNew(t *testing.T) {
	a := newAuthority(t)
	cert := a.certificate()
	c := newDeltaClient(t, a)
	c.request(adds(ownCert, ownRoots))
	pushed := c.announce(a.update(cert))
	c.nack(pushed.nonce).check(t, "NACK", result{nacked: true})
	c.announce(a.update(cert)).check(t, "an update of the same content", result{})
	a.newRoot()
	c.announce(a.update(cert)).check(t, "another bundle", result{names: []string{ownRoots}})
}

func TestDeltaSendsASecretAgainThatIsSubscribedToAgain(t *testing.T) {
	a := newAuthority(t)
	c := newDeltaClient(t, a)
	c.request(adds(ownCert, ownRoots))
	c.announce(a.update(a.certificate()))
	c.request(adds(ownCert)).check(t, "the same name", result{names: []string{ownCert}})
	c.request(&discoveryv3.DeltaDiscoveryRequest{ResourceNamesUnsubscribe: []string{ownCert, "never asked for"}}).check(t, "unsubscribe", result{})
	c.announce(a.update(a.certificate())).check(t, "a certificate that no one wants", result{})
}

func TestDeltaSendsNothingTwiceToAProxyThatComesBack(t *testing.T) {
	a := newAuthority(t)
	cert := a.certificate()
	u := a.update(cert)
	r := adds(ownCert, ownRoots)
	r.InitialResourceVersions = map[string]string{
		ownCert:  tlsCertificate.version(u, time.Now()),
		ownRoots: validationContext.version(u, time.Now()),
		"other":  "x",
	}
	c := newDeltaClient(t, a)
	c.request(r)
	c.announce(u).check(t, "both are there", result{inUse: 1})
	c.announce(a.update(a.certificate())).check(t, "a later update", result{names: []string{ownCert}})

	r.InitialResourceVersions[ownCert] = "an older one"
	c = newDeltaClient(t, a)
	c.request(r)
	c.announce(a.update(cert)).check(t, "one of them is old", result{names: []string{ownCert}})
}

func TestDeltaRefusesWhatIsNotForThisService(t *testing.T) {
	a := newAuthority(t)
	cases := []struct {
		name    string
		request *discoveryv3.DeltaDiscoveryRequest
		refusal Reason
	}{
		{"another type", &discoveryv3.DeltaDiscoveryRequest{ResourceNamesSubscribe: []string{ownCert}, TypeUrl: "type.googleapis.com/envoy.config.cluster.v3.Cluster"}, ReasonProtocol},
		{"no name", adds(), ReasonProtocol},
		{"the wildcard", adds("*"), ReasonUnknownSecret},
		{"another's certificate", adds(ownCert, "service-cert:bookstore/other"), ReasonForeignSecret},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			newDeltaClient(t, a).request(c.request).check(t, c.name, result{refusal: c.refusal})
		})
	}
}
