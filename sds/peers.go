package sds

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/osm-edge/osm/issuer/identity"
)

// maxAddresses bounds the addresses that one stream asks about.
const maxAddresses = 1024

// Destinations knows which identities may answer at an address.
type Destinations interface {
	// At returns them, in order; none if no pod of the mesh is there. The result
	// does not change.
	At(address netip.Addr) []identity.Identity
	// Watch has the channel, which has room for one, hold something whenever the
	// answer for the address has changed.
	Watch(address netip.Addr, changed chan<- struct{})
	// Unwatch undoes Watch.
	Unwatch(address netip.Addr, changed chan<- struct{})
}

// peers are the addresses that a stream asks about. They are apart from its
// secrets, and so they say nothing of which certificate and bundle are in use.
// The ports of its own pod are asked about in the same way.
type peers struct {
	own          ownPorts
	destinations Destinations
	changed      chan struct{} // nil before the first address
	byName       map[string]*answer
}

// answer is one address, and who may answer there.
type answer struct {
	secret
	address    netip.Addr
	identities []identity.Identity
	current    string // version of the identities
}

// addressOf returns the address in a name such as peers:10.0.0.1. There is one
// name for each address.
func addressOf(name string) (netip.Addr, bool, error) {
	text, ok := strings.CutPrefix(name, peersPrefix)
	if !ok {
		return netip.Addr{}, false, nil
	}
	address, err := netip.ParseAddr(text)
	if err != nil || address.Zone() != "" || address.Is4In6() || address.String() != text {
		return netip.Addr{}, true, refuse(ReasonUnknownSecret, "secret name %q does not end in an IP address as RFC 5952 writes it", bounded(name))
	}
	return address, true, nil
}

// add begins to watch an address, or forgets what was sent of it.
func (p *peers) add(name string, address netip.Addr) error {
	switch {
	case p.destinations == nil:
		return refuse(ReasonUnknownSecret, "this replica does not serve which identities an address has")
	case p.byName[name] != nil:
		p.byName[name].secret = secret{}
		return nil
	case p.addresses() == maxAddresses:
		return refuse(ReasonProtocol, "a stream may ask about %d addresses at most", maxAddresses)
	case p.byName == nil:
		p.byName, p.changed = map[string]*answer{}, make(chan struct{}, 1)
	}
	p.byName[name] = &answer{address: address}
	p.destinations.Watch(address, p.changed)
	return nil
}

func (p *peers) remove(name string) {
	if peer, ok := p.byName[name]; ok && !p.removePorts(name) {
		p.destinations.Unwatch(peer.address, p.changed)
		delete(p.byName, name)
	}
}

// look takes in who is where by now.
func (p *peers) look() {
	p.lookAtPorts()
	for name, peer := range p.byName {
		if name == httpPortsName {
			continue
		}
		identities := p.destinations.At(peer.address)
		if peer.current == "" || !slices.Equal(identities, peer.identities) {
			peer.identities, peer.current = identities, versionOf(identities)
		}
	}
}

// destine says who knows what is at addresses, if known at all.
func (p *peers) destine(d Destinations) { p.destinations = d }

// moved holds something when it is time to look.
func (p *peers) moved() <-chan struct{} { return p.changed }

// forget ends all watches.
func (p *peers) forget() {
	for name := range p.byName {
		p.remove(name)
	}
}

func versionOf(identities []identity.Identity) string {
	var b strings.Builder
	for _, id := range identities {
		b.WriteString(id.String())
		b.WriteByte(0)
	}
	return digest([]byte(b.String()))
}

// encode returns a validation context that names the identities, one by one, and
// no root: it is read together with the one that the proxy has. Without any
// identity no pod of the mesh is there, and the proxy must not call.
func (p *answer) encode(name string) (*anypb.Any, error) {
	context := &tlsv3.CertificateValidationContext{}
	for _, id := range p.identities {
		context.MatchTypedSubjectAltNames = append(context.MatchTypedSubjectAltNames, &tlsv3.SubjectAltNameMatcher{
			SanType: tlsv3.SubjectAltNameMatcher_URI,
			Matcher: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: id.String()}},
		})
	}
	resource, err := anypb.New(&tlsv3.Secret{Name: name, Type: &tlsv3.Secret_ValidationContext{ValidationContext: context}})
	if err != nil {
		return nil, fmt.Errorf("encode secret %s: %w", name, err)
	}
	return resource, nil
}
