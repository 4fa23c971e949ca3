package issuer

import "sync/atomic"

// Update is what a subscriber needs to know, always as a whole: a later Update
// replaces an earlier one.
type Update struct {
	// Version grows with every Update of a Manager.
	Version uint64
	// Certificate is the identity's current one.
	Certificate *Certificate
	// Bundle verifies the certificates of everybody in the mesh.
	Bundle TrustBundle
}

// Subscription announces an identity's certificate and the trust bundle,
// whenever either changes, until it is closed.
type Subscription struct {
	manager  *Manager
	identity Identity
	updates  chan Update // one slot: holds the latest Update that was not received yet
	acked    atomic.Uint64
}

// Updates returns the channel of updates. It holds one, the latest: whoever is
// slow misses what was outdated anyway. It is never closed.
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
