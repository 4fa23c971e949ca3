package sds

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
)

// declared is an HTTPPorts that a test writes, and who watches what.
type declared struct {
	ports   map[string][]uint16
	watched []string
}

func (d *declared) Of(namespace, pod string) []uint16 { return d.ports[namespace+"/"+pod] }

func (d *declared) Watch(namespace, pod string, _ chan<- struct{}) {
	d.watched = append(d.watched, namespace+"/"+pod)
}

func (d *declared) Unwatch(namespace, pod string, _ chan<- struct{}) {
	i := slices.Index(d.watched, namespace+"/"+pod)
	d.watched = slices.Delete(d.watched, i, i+1)
}

func ofPod(ports ...uint16) *declared {
	return &declared{ports: map[string][]uint16{"shop/store-0": ports, "evil/store-0": {5432}}}
}

func ownPod() Proxy { return Proxy{Namespace: "shop", PodName: "store-0"} }

// listed returns the content of http-ports.
func listed(t *testing.T, s *session) string {
	t.Helper()
	resource, err := s.encode(httpPortsName)
	if err != nil {
		t.Fatal(err)
	}
	var content tlsv3.Secret
	if err := resource.UnmarshalTo(&content); err != nil {
		t.Fatal(err)
	}
	if content.GetName() != httpPortsName || content.GetGenericSecret() == nil {
		t.Errorf("%v", &content)
	}
	return content.GetGenericSecret().GetSecret().GetInlineString()
}

func TestSotWTellsThePortsOfItsPodAndWhatBecomesOfThem(t *testing.T) {
	a, d := newAuthority(t), ofPod(8080, 9090)
	c := newSotWClient(t, a)
	c.m.declare(d, ownPod())
	c.request(asks(ownRoots, ownCert, httpPortsName)).check(t, "before the certificate", result{names: []string{httpPortsName}})
	if got := listed(t, &c.m.session); got != "8080,9090" {
		t.Errorf("%q", got)
	}
	pushed := c.announce(a.update(a.certificate()))
	pushed.check(t, "the unanswered ports come again", result{names: []string{httpPortsName, ownRoots, ownCert}})
	c.ack(pushed.nonce, ownCert, ownRoots, httpPortsName).check(t, "ACK", result{acked: true, inUse: 1})
	d.ports["shop/store-0"] = nil
	out, err := c.m.refresh(c.now)
	gone := c.result(out, err)
	gone.check(t, "the Service went", result{names: []string{httpPortsName}})
	if got := listed(t, &c.m.session); got != "" {
		t.Errorf("%q", got)
	}
	c.ack(gone.nonce, ownCert, ownRoots, httpPortsName).check(t, "ACK", result{acked: true})
	out, err = c.m.refresh(c.now)
	c.result(out, err).check(t, "nothing is new", result{})
	c.ack(gone.nonce, ownCert, ownRoots).check(t, "not asked for any more", result{})
	if len(d.watched) != 0 {
		t.Errorf("%q are watched still", d.watched)
	}
}

func TestDeltaTellsThePortsOfItsPodAndANACKOfThemRejectsNoBundle(t *testing.T) {
	a, d := newAuthority(t), ofPod()
	c := &deltaClient{t: t, m: newDelta(a.id, "tag")}
	c.m.declare(d, ownPod())
	c.announce(a.update(a.certificate()))
	first := c.request(&discoveryv3.DeltaDiscoveryRequest{ResourceNamesSubscribe: []string{ownCert}})
	ports := c.request(&discoveryv3.DeltaDiscoveryRequest{ResourceNamesSubscribe: []string{httpPortsName}})
	ports.check(t, "no port is an answer, too", result{names: []string{httpPortsName}})
	c.nack(ports.nonce).check(t, "NACK", result{nacked: true})
	c.request(&discoveryv3.DeltaDiscoveryRequest{ResponseNonce: first.nonce}).check(t, "ACK", result{acked: true, inUse: 1})
	d.ports["shop/store-0"] = []uint16{1, 65535}
	out, err := c.m.refresh(c.now)
	c.result(out, err).check(t, "ports came", result{names: []string{httpPortsName}})
	if got := listed(t, &c.m.session); got != "1,65535" {
		t.Errorf("%q", got)
	}
	if !slices.Equal(d.watched, []string{"shop/store-0"}) {
		t.Errorf("%q are watched", d.watched)
	}
	c.request(&discoveryv3.DeltaDiscoveryRequest{ResourceNamesUnsubscribe: []string{httpPortsName}}).check(t, "dropped", result{})
	c.request(&discoveryv3.DeltaDiscoveryRequest{ResourceNamesSubscribe: []string{httpPortsName}}).check(t, "again", result{names: []string{httpPortsName}})
	if c.m.forget(); len(d.watched) != 0 || len(c.m.byName) != 0 {
		t.Errorf("%q are watched after the stream", d.watched)
	}
}

func TestThePortsAreNoAddressThatCounts(t *testing.T) {
	a := newAuthority(t)
	c := &deltaClient{t: t, m: newDelta(a.id, "tag")}
	c.m.destine(whereabouts{})
	c.m.declare(ofPod(), ownPod())
	names := []string{httpPortsName}
	for i := range maxAddresses {
		names = append(names, fmt.Sprintf("peers:10.0.%d.%d", i/256, i%256))
	}
	if r := c.request(&discoveryv3.DeltaDiscoveryRequest{ResourceNamesSubscribe: names}); len(r.names) != maxAddresses+1 {
		t.Errorf("%d answers, refusal %q", len(r.names), r.refusal)
	}
	one := &discoveryv3.DeltaDiscoveryRequest{ResourceNamesSubscribe: []string{"peers:10.1.0.0"}}
	c.request(one).check(t, "one address more", result{refusal: ReasonProtocol})
}

func TestAServerThatDoesNotKnowThePortsSaysSo(t *testing.T) {
	a := newAuthority(t)
	c := newSotWClient(t, a)
	c.request(asks(httpPortsName)).check(t, "asked", result{refusal: ReasonUnknownSecret})
	for _, name := range []string{"http-ports:shop/store-0", "HTTP-PORTS", "http-ports "} {
		if _, err := parseName(name, a.id); refusalOf(t, err) != ReasonUnknownSecret || !strings.Contains(err.Error(), ", http-ports, ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
