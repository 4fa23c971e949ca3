package issuer

import (
	"bytes"
	"crypto/x509"
	"slices"
	"time"

	"github.com/osm-edge/osm/issuer/identity"
)

// entry is what a Manager holds for an identity. The Manager's lock guards it.
type entry struct {
	identity      identity.Identity
	issued                                   // what is served; zero before the first
	next          *successor                 // what is held back; nil if nothing is
	failures      int                        // in a row
	due           time.Time                  // when Run is to look at it, by the wall clock
	queue         *queue                     // that it is in; nil outside of both
	place         int                        // in the queue
	version       uint64                     // of its latest Update
	subscriptions map[*Subscription]struct{} // nil before the first
}

// issued is a certificate and what is known of it.
type issued struct {
	certificate *Certificate
	root        *x509.Certificate // that it leads to; nil if that is not known
	signer      string            // the name of the root that signed it
	epoch       uint64            // of that root
	renewAt     time.Time         // by the wall clock
}

// valid reports whether the entry's certificate is accepted by those who trust
// the bundle.
func (m *Manager) valid(e *entry) bool { return m.accepts(e.issued) }

func (m *Manager) accepts(i issued) bool {
	return i.certificate != nil && time.Now().Before(i.certificate.NotAfter()) &&
		(i.root == nil || slices.ContainsFunc(m.bundle.roots, i.root.Equal))
}

// rootOf returns which of the roots a chain leads to that was verified with
// them. Its names and key identifiers say so.
func rootOf(chain []*x509.Certificate, roots TrustBundle) *x509.Certificate {
	last := chain[len(chain)-1]
	for _, root := range roots.roots {
		if bytes.Equal(last.RawIssuer, root.RawSubject) &&
			(len(last.AuthorityKeyId) == 0 || len(root.SubjectKeyId) == 0 || bytes.Equal(last.AuthorityKeyId, root.SubjectKeyId)) {
			return root
		}
	}
	return nil
}

// newEntry has a version of its own, so that a subscriber is behind until
// the first Update.
func (m *Manager) newEntry(id identity.Identity) *entry {
	m.version++
	e := &entry{identity: id, version: m.version}
	m.entries[id] = e
	return e
}

// fresh reports whether the entry needs no other certificate yet, or has it
// already.
func (m *Manager) fresh(e *entry) bool {
	return m.valid(e) && (e.next != nil || e.epoch == m.epoch && time.Now().Before(e.renewAt))
}

// plan schedules what is next for the entry: to be given up without
// a subscriber, otherwise a new certificate, at once or when it is time.
func (m *Manager) plan(e *entry) {
	switch {
	case len(e.subscriptions) == 0:
		m.schedule(e, time.Now().Add(m.options.Linger))
	case e.next != nil:
		m.schedule(e, e.next.servedAt)
	case m.fresh(e):
		m.schedule(e, e.renewAt)
	default:
		m.schedule(e, m.replacement(e))
	}
}

// replacement is when a certificate is replaced that is not fresh. One of a root
// that signed before has time, unless it has little left.
func (m *Manager) replacement(e *entry) time.Time {
	now := time.Now()
	if !m.valid(e) || e.epoch == m.epoch || !now.Before(e.renewAt) {
		return now
	}
	return m.spreadFrom.Add(time.Duration(spread(e.identity) * float64(m.spreadOver)))
}
