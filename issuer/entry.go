package issuer

import (
	"bytes"
	"crypto/x509"
	"slices"
	"time"
)

// entry is what a Manager holds for an identity. The Manager's lock guards it.
type entry struct {
	identity      Identity
	certificate   *Certificate               // nil before the first
	root          *x509.Certificate          // that it leads to; nil if that is not known
	epoch         uint64                     // of the root that signed it
	renewAt       time.Time                  // zero before the first
	failures      int                        // in a row
	due           time.Time                  // when Run is to look at it, by the wall clock
	place         int                        // in the queue
	version       uint64                     // of its latest Update
	subscriptions map[*Subscription]struct{} // nil before the first
}

// valid reports whether the entry's certificate is accepted by those who trust
// the bundle.
func (m *Manager) valid(e *entry) bool {
	return e.certificate != nil && time.Now().Before(e.certificate.NotAfter()) &&
		(e.root == nil || slices.ContainsFunc(m.bundle.roots, e.root.Equal))
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

// newEntry has a version of its own, so that whoever subscribes is behind until
// the first Update.
func (m *Manager) newEntry(id Identity) *entry {
	m.version++
	e := &entry{identity: id, version: m.version, place: outside}
	m.entries[id] = e
	return e
}

// fresh reports whether the entry needs no other certificate yet.
func (m *Manager) fresh(e *entry) bool {
	return m.valid(e) && e.epoch == m.epoch && time.Now().Before(e.renewAt)
}

// plan schedules what is next for the entry: to be given up when nobody
// subscribes to it, otherwise a new certificate, at once or when it is time.
func (m *Manager) plan(e *entry) {
	switch {
	case len(e.subscriptions) == 0:
		m.schedule(e, time.Now().Add(m.options.Linger))
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
