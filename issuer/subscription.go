package issuer

import (
	"crypto/x509"
	"sync/atomic"

	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

// Update is what a subscriber needs to know, always as a whole: a later Update
// replaces an earlier one.
type Update struct {
	// Version grows with every Update of a Manager.
	Version uint64
	// Certificate is the identity's current one; nil while there is none that is
	// valid.
	Certificate *Certificate
	// Root is what the certificate leads to; nil if that is not known.
	Root *x509.Certificate
	// Bundle verifies all certificates of the mesh.
	Bundle trustbundle.TrustBundle
}

// Subscription announces an identity's certificate and the trust bundle,
// whenever either changes, until it is closed.
type Subscription struct {
	manager  *Manager
	identity identity.Identity
	updates  chan Update // one slot: holds the latest Update that was not received yet
	acked    atomic.Uint64
}

// Updates returns the channel of updates. It holds one, the latest: a
// slow reader misses only outdated ones. It is never closed.
func (s *Subscription) Updates() <-chan Update { return s.updates }

// Ack says that the subscriber uses the Update of that version.
func (s *Subscription) Ack(version uint64) { s.acked.Store(version) }

// Acked returns the last version that was acknowledged, 0 before the first.
func (s *Subscription) Acked() uint64 { return s.acked.Load() }

// Close ends the subscription. With an identity's last subscription its
// certificate is given up.
func (s *Subscription) Close() { s.manager.unsubscribe(s) }

// announce replaces what lies in the slot. The Manager's lock makes it the only
// sender, so the second send finds room.
func (s *Subscription) announce(u Update) {
	select {
	case <-s.updates:
	default:
	}
	s.updates <- u
}

// Subscribe announces the identity's certificate, the current one at once and
// otherwise the first that can be issued, and every later one; and the trust
// bundle, as soon as there is one. The caller closes the subscription.
func (m *Manager) Subscribe(id identity.Identity) *Subscription {
	s := &Subscription{manager: m, identity: id, updates: make(chan Update, 1)}
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[id]
	if e == nil {
		e = m.newEntry(id)
	}
	if e.subscriptions == nil {
		e.subscriptions = map[*Subscription]struct{}{}
	}
	e.subscriptions[s] = struct{}{}
	if len(e.subscriptions) == 1 {
		m.plan(e)
	}
	m.review(e)
	if m.valid(e) || m.stalled() {
		s.announce(m.update(e))
	}
	return s
}

// stalled reports whether a subscriber without a certificate gets none soon, though
// it can have the bundle.
func (m *Manager) stalled() bool {
	return (m.signer.Issuer == nil || m.circuit.open()) && !m.bundle.IsEmpty()
}

func (m *Manager) unsubscribe(s *Subscription) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[s.identity]
	if e == nil {
		return
	}
	delete(e.subscriptions, s)
	if len(e.subscriptions) == 0 {
		m.plan(e)
	}
}

// Pending counts the subscriptions that do not use the latest Update: they have
// not acknowledged it, or there is no valid certificate to send it with.
func (m *Manager) Pending() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, e := range m.entries {
		for s := range e.subscriptions {
			if s.Acked() < e.version {
				n++
			}
		}
	}
	return n
}

// announce sends the entry's state to all its subscribers. A proxy
// needs the bundle to verify others, even without a certificate.
func (m *Manager) announce(e *entry) {
	m.version++
	e.version = m.version
	for s := range e.subscriptions {
		s.announce(m.update(e))
	}
}

func (m *Manager) update(e *entry) Update {
	u := Update{Version: e.version, Bundle: m.bundle}
	if m.valid(e) {
		u.Certificate, u.Root = e.certificate, e.root
	}
	return u
}
