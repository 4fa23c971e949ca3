package sidecar

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/protobuf/types/known/anypb"
)

const (
	peersPrefix = "peers:"
	// maxAddresses is how many the control plane tells of on one stream.
	maxAddresses = 1024
	// peersTimeout is how long the application's connection waits until
	// a peer is known at its destination.
	peersTimeout = 5 * time.Second
)

// peers are who may answer at the addresses that the application connected to,
// as the control plane says. What it said last counts while it is away.
type peers struct {
	mu      sync.Mutex
	places  map[netip.Addr]*place
	dropped map[netip.Addr]bool // that the control plane has not been told of
	told    chan struct{}       // closed, and made anew, when it is
	changed chan struct{}       // one slot: other addresses are to be asked about
}

// place is one address.
type place struct {
	identities []spiffeid.ID // none before the first answer
	answered   chan struct{} // closed, and made anew, with each answer
	used       time.Time
}

func newPeers() *peers {
	return &peers{
		places:  map[netip.Addr]*place{},
		dropped: map[netip.Addr]bool{},
		told:    make(chan struct{}),
		changed: make(chan struct{}, 1),
	}
}

// at returns who may answer at the address, and waits for the first.
func (p *peers) at(ctx context.Context, address netip.Addr) ([]spiffeid.ID, error) {
	ctx, cancel := context.WithTimeout(ctx, peersTimeout)
	defer cancel()
	for {
		identities, answered := p.ask(address)
		if len(identities) > 0 {
			return identities, nil
		}
		select {
		case <-answered:
		case <-ctx.Done():
			return nil, errors.New("no pod of the mesh is known to be there")
		}
	}
}

func (p *peers) ask(address netip.Addr) ([]spiffeid.ID, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dropped[address] {
		return nil, p.told // to ask again would not be noticed
	}
	found := p.places[address]
	if found == nil {
		if len(p.places) == maxAddresses {
			p.dropOldest()
		}
		found = &place{answered: make(chan struct{})}
		p.places[address] = found
		select {
		case p.changed <- struct{}{}:
		default:
		}
	}
	found.used = time.Now()
	return found.identities, found.answered
}

// dropOldest makes room for another address.
func (p *peers) dropOldest() {
	var oldest netip.Addr
	for address, place := range p.places {
		if !oldest.IsValid() || place.used.Before(p.places[oldest].used) {
			oldest = address
		}
	}
	delete(p.places, oldest)
	p.dropped[oldest] = true
}

// names are what to ask for, which is done with them.
func (p *peers) names() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.dropped)
	close(p.told)
	p.told = make(chan struct{})
	var names []string
	for address := range p.places {
		names = append(names, peersPrefix+address.String())
	}
	slices.Sort(names)
	return names
}

// take keeps what resources say of addresses, all or none of it.
func (p *peers) take(resources []*anypb.Any) error {
	said := map[netip.Addr][]spiffeid.ID{}
	for _, resource := range resources {
		secret := &tlsv3.Secret{}
		if err := resource.UnmarshalTo(secret); err != nil {
			return fmt.Errorf("a resource is not a secret: %w", err)
		}
		text, ok := strings.CutPrefix(secret.GetName(), peersPrefix)
		if !ok {
			continue
		}
		address, err := netip.ParseAddr(text)
		if err == nil {
			said[address], err = identitiesOf(secret.GetValidationContext())
		}
		if err != nil {
			return fmt.Errorf("secret %s: %w", secret.GetName(), err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for address, identities := range said {
		if place := p.places[address]; place != nil {
			place.identities = identities
			close(place.answered)
			place.answered = make(chan struct{})
		}
	}
	return nil
}

// identitiesOf refuses what is no SPIFFE ID: a rule that is not understood may
// have been meant to keep peers out.
func identitiesOf(context *tlsv3.CertificateValidationContext) ([]spiffeid.ID, error) {
	var identities []spiffeid.ID
	for _, matcher := range context.GetMatchTypedSubjectAltNames() {
		id, err := spiffeid.FromString(matcher.GetMatcher().GetExact())
		if err != nil || matcher.GetSanType() != tlsv3.SubjectAltNameMatcher_URI {
			return nil, fmt.Errorf("a peer that is not named by its SPIFFE ID: %s", matcher)
		}
		identities = append(identities, id)
	}
	return identities, nil
}
