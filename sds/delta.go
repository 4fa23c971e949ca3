package sds

import (
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
)

// delta is the incremental protocol of one stream: requests add and remove
// names, responses carry the secrets that changed.
type delta struct {
	session
	begun bool
}

type deltaStep = step[discoveryv3.DeltaDiscoveryResponse]

func newDelta(identity identity.Identity, tag string) *delta {
	return &delta{session: newSession(identity, tag)}
}

// request handles what the proxy sent. Names count whatever the nonce: it says
// which response is answered, and an older one's answer counts for what that
// one carried.
func (m *delta) request(r *discoveryv3.DeltaDiscoveryRequest, now time.Time) (deltaStep, error) {
	var out deltaStep
	if err := checkType(r.GetTypeUrl()); err != nil {
		return out, err
	}
	nonce, err := m.position(r.GetResponseNonce())
	if err != nil {
		return out, err
	}
	if nonce != 0 {
		m.answer(r, nonce, &out)
	}
	if err := m.change(r); err != nil {
		return out, err
	}
	return m.respond(out, now)
}

func (m *delta) answer(r *discoveryv3.DeltaDiscoveryRequest, nonce uint64, out *deltaStep) {
	if r.GetErrorDetail() == nil {
		out.acked = m.settle(nonce, accepted)
		return
	}
	out.nacked = m.settle(nonce, rejected)
	out.detail = bounded(r.GetErrorDetail().GetMessage())
}

// change applies the request's names. A name that is subscribed to again is
// sent again: the proxy may have dropped it. The first request may say what the
// proxy holds from an earlier stream, and that stands for an ACK.
func (m *delta) change(r *discoveryv3.DeltaDiscoveryRequest) error {
	for _, name := range r.GetResourceNamesUnsubscribe() {
		m.unsubscribe(name)
	}
	for _, name := range r.GetResourceNamesSubscribe() {
		if err := m.subscribe(name); err != nil {
			return err
		}
	}
	if m.begun {
		return nil
	}
	m.begun = true
	for name, version := range r.GetInitialResourceVersions() {
		if secret := m.subscribed(name); secret != nil {
			secret.version, secret.answer = version, accepted
			m.bring(version)
		}
	}
	return m.noWildcard()
}

func (m *delta) announce(u issuer.Update, now time.Time) (deltaStep, error) {
	m.take(u)
	return m.respond(deltaStep{}, now)
}

func (m *delta) refresh(now time.Time) (deltaStep, error) { return m.respond(deltaStep{}, now) }

func (m *delta) respond(out deltaStep, now time.Time) (deltaStep, error) {
	if names := m.outdated(now); len(names) > 0 {
		response, err := m.response(names)
		if err != nil {
			return out, err
		}
		out.response = response
	}
	out.inUse, out.trusts = m.inUse(), m.trusts()
	return out, nil
}

func (m *delta) response(names []string) (*discoveryv3.DeltaDiscoveryResponse, error) {
	resources := make([]*discoveryv3.Resource, len(names))
	for i, name := range names {
		secret, err := m.encode(name)
		if err != nil {
			return nil, err
		}
		resources[i] = &discoveryv3.Resource{Name: name, Version: m.current(name), Resource: secret}
	}
	return &discoveryv3.DeltaDiscoveryResponse{
		SystemVersionInfo: m.state(),
		Resources:         resources,
		TypeUrl:           secretType,
		Nonce:             m.send(names),
	}, nil
}
