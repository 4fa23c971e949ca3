package sds

import (
	"slices"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
)

// sotw is the state-of-the-world protocol of one stream: every request carries
// all names, every response all secrets, and of addresses what changed.
type sotw struct {
	session
	begun bool
	held  string // the version that the proxy brought along, until it was compared
	last  string // the version of the last response
}

type sotwStep = step[discoveryv3.DiscoveryResponse]

func newSotW(identity identity.Identity, tag string) *sotw {
	return &sotw{session: newSession(identity, tag)}
}

// request handles what the proxy sent. A request with an older nonce of this
// stream is stale: the proxy wrote it before it saw the last response, and
// answers that one too. A request without a nonce answers nothing, and its names
// count.
func (m *sotw) request(r *discoveryv3.DiscoveryRequest, now time.Time) (sotwStep, error) {
	var out sotwStep
	if err := checkType(r.GetTypeUrl()); err != nil {
		return out, err
	}
	nonce, err := m.position(r.GetResponseNonce())
	if err != nil {
		return out, err
	}
	if nonce != 0 && nonce < m.sent {
		return out, nil
	}
	if nonce != 0 {
		m.answer(r, nonce, &out)
	}
	if err := m.replace(r.GetResourceNames()); err != nil {
		return out, err
	}
	if !m.begun {
		m.begun, m.held = true, r.GetVersionInfo()
		m.bring(m.held)
		if err := m.noWildcard(); err != nil {
			return out, err
		}
	}
	return m.respond(out, now)
}

// answer tells ACK from NACK. An ACK names the version of the response and has
// no error; older clients say NACK with their previous version alone.
func (m *sotw) answer(r *discoveryv3.DiscoveryRequest, nonce uint64, out *sotwStep) {
	if r.GetErrorDetail() == nil && r.GetVersionInfo() == m.last {
		out.acked = m.settle(nonce, accepted)
		return
	}
	out.nacked = m.settle(nonce, rejected)
	out.detail = bounded(r.GetErrorDetail().GetMessage())
}

// replace makes the names those of the subscription. What was sent of a name
// that stays is remembered; a name that comes back is sent again.
func (m *sotw) replace(names []string) error {
	asked := make(map[string]bool, len(names))
	for _, name := range names {
		asked[name] = true
	}
	for name := range m.secrets {
		if !asked[name] {
			m.unsubscribe(name)
		}
	}
	for name := range m.byName {
		if !asked[name] {
			m.unsubscribe(name)
		}
	}
	for _, name := range names {
		if m.subscribed(name) != nil {
			continue
		}
		if err := m.subscribe(name); err != nil {
			return err
		}
	}
	return nil
}

func (m *sotw) announce(u issuer.Update, now time.Time) (sotwStep, error) {
	m.take(u)
	return m.respond(sotwStep{}, now)
}

func (m *sotw) refresh(now time.Time) (sotwStep, error) { return m.respond(sotwStep{}, now) }

func (m *sotw) respond(out sotwStep, now time.Time) (sotwStep, error) {
	if m.look(now); m.held != "" && len(m.names()) == len(m.secrets)+len(m.byName) {
		m.resume()
	}
	if outdated := m.outdated(now); len(outdated) > 0 {
		response, err := m.response(m.together(outdated))
		if err != nil {
			return out, err
		}
		out.response = response
	}
	out.inUse, out.trusts = m.inUse(), m.trusts()
	return out, nil
}

// resume takes the version that the proxy brought from an earlier stream for an
// ACK, if the same names have the same content still.
func (m *sotw) resume() {
	if m.held == m.version() {
		for _, secret := range m.secrets {
			secret.version, secret.answer = m.versions[secret.kind], accepted
		}
		for _, peer := range m.byName {
			peer.version, peer.answer = peer.current, accepted
		}
	}
	m.held = ""
}

// together returns what a response carries: all secrets if it carries one, and
// of the addresses those whose answers changed, which may be few of many.
// Whatever the proxy has not answered comes again: the answer to the last
// response is the one that counts, and counts for all of it.
func (m *sotw) together(outdated []string) []string {
	changed, secrets := map[string]bool{}, false
	for _, name := range outdated {
		changed[name] = true
		secrets = secrets || m.secrets[name] != nil
	}
	for _, secret := range m.secrets {
		secrets = secrets || secret.nonce != 0 && secret.answer == unanswered
	}
	return slices.DeleteFunc(m.names(), func(name string) bool {
		if peer, ok := m.byName[name]; ok {
			return !changed[name] && peer.answer != unanswered
		}
		return !secrets
	})
}

func (m *sotw) response(names []string) (*discoveryv3.DiscoveryResponse, error) {
	resources := make([]*anypb.Any, len(names))
	for i, name := range names {
		resource, err := m.encode(name)
		if err != nil {
			return nil, err
		}
		resources[i] = resource
	}
	m.last = m.version()
	return &discoveryv3.DiscoveryResponse{
		VersionInfo: m.last,
		Resources:   resources,
		TypeUrl:     secretType,
		Nonce:       m.send(names),
	}, nil
}

// version names all that the proxy has when it has accepted the response.
func (m *sotw) version() string { return m.possessed().in(m.state()) }
