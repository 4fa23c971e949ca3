package sds

import (
	"fmt"
	"net/netip"
	"testing"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/osm-edge/osm/issuer/identity"
)

// whereabouts is a Destinations that a test writes.
type whereabouts map[netip.Addr][]identity.Identity

func (w whereabouts) At(a netip.Addr) []identity.Identity { return w[a] }
func (w whereabouts) Watch(netip.Addr, chan<- struct{})   {}
func (w whereabouts) Unwatch(netip.Addr, chan<- struct{}) {}

const store = "peers:10.0.0.1"

func TestAnAddressDoesNotHoldBackWhatIsSaidOfTheBundle(t *testing.T) {
	a := newAuthority(t)
	w := whereabouts{}
	c := newSotWClient(t, a)
	c.m.destine(w)
	c.request(asks(ownRoots, ownCert, store)).check(t, "no one is there yet", result{names: []string{store}})
	pushed := c.announce(a.update(a.certificate()))
	pushed.check(t, "the unanswered address comes again", result{names: []string{store, ownRoots, ownCert}})
	c.ack(pushed.nonce, ownCert, ownRoots, store).check(t, "ACK", result{acked: true, inUse: 1})
	w[netip.MustParseAddr("10.0.0.1")] = []identity.Identity{a.id}
	out, err := c.m.refresh(c.now)
	moved := c.result(out, err)
	moved.check(t, "someone came", result{names: []string{store}})
	pushed = c.announce(a.update(a.certificate()))
	pushed.check(t, "a certificate before the answer", result{names: []string{store, ownRoots, ownCert}})
	c.ack(pushed.nonce, ownCert, ownRoots, store).check(t, "ACK", result{acked: true, inUse: 2})
	c.ack(pushed.nonce, ownCert, ownRoots).check(t, "the address is not asked about any more", result{})
	c.ack(pushed.nonce, ownCert, ownRoots, store).check(t, "and is again", result{names: []string{store}})
}

func TestDeltaSendsAnAddressAloneAndANACKOfItRejectsNoBundle(t *testing.T) {
	a := newAuthority(t)
	c := &deltaClient{t: t, m: newDelta(a.id, "tag")}
	c.m.destine(whereabouts{netip.MustParseAddr("10.0.0.1"): {a.id}})
	c.announce(a.update(a.certificate()))
	first := c.request(&discoveryv3.DeltaDiscoveryRequest{ResourceNamesSubscribe: []string{ownCert}})
	c.request(&discoveryv3.DeltaDiscoveryRequest{ResourceNamesSubscribe: []string{store}}).check(t, "asked", result{names: []string{store}})
	c.request(&discoveryv3.DeltaDiscoveryRequest{ResponseNonce: first.nonce}).check(t, "ACK", result{acked: true, inUse: 1})
	c.request(&discoveryv3.DeltaDiscoveryRequest{ResourceNamesUnsubscribe: []string{store}}).check(t, "dropped", result{})
	if len(c.m.byName) != 0 {
		t.Error("the address is still watched")
	}
}

func TestAStreamAsksAboutSoManyAddressesAndNoMore(t *testing.T) {
	a := newAuthority(t)
	c := &deltaClient{t: t, m: newDelta(a.id, "tag")}
	c.m.destine(whereabouts{})
	var names []string
	for i := range maxAddresses + 1 {
		names = append(names, fmt.Sprintf("peers:10.0.%d.%d", i/256, i%256))
	}
	if r := c.request(&discoveryv3.DeltaDiscoveryRequest{ResourceNamesSubscribe: names[1:]}); len(r.names) != maxAddresses {
		t.Fatalf("%d answers, refusal %q", len(r.names), r.refusal)
	}
	c.request(&discoveryv3.DeltaDiscoveryRequest{ResourceNamesSubscribe: names[:1]}).check(t, "one more", result{refusal: ReasonProtocol})
}

func TestAnAddressHasOneName(t *testing.T) {
	for _, name := range []string{"peers:", "peers:store", "peers:10.0.0.01", "peers:::ffff:10.0.0.1", "peers:FD00::1", "peers:fe80::1%eth0", "peers:10.0.0.1:80"} {
		if _, _, err := addressOf(name); refusalOf(t, err) != ReasonUnknownSecret {
			t.Errorf("%s: %v", name, err)
		}
	}
	if address, is, err := addressOf("peers:fd00::1"); err != nil || !is || address.String() != "fd00::1" {
		t.Errorf("%s, %v", address, err)
	}
}
