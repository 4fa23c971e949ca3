package issuer

import "time"

// entry is what a Manager holds for an identity. The Manager's lock guards it.
type entry struct {
	identity      Identity
	certificate   *Certificate               // nil before the first
	epoch         uint64                     // of the root that signed it
	renewAt       time.Time                  // zero before the first
	failures      int                        // in a row
	due           time.Time                  // when Run is to look at it, by the wall clock
	place         int                        // in the queue
	version       uint64                     // of its latest Update
	subscriptions map[*Subscription]struct{} // nil before the first
}

func (e *entry) valid() bool {
	return e.certificate != nil && time.Now().Before(e.certificate.NotAfter())
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
	return e.certificate != nil && e.epoch == m.epoch && time.Now().Before(e.renewAt)
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
		m.schedule(e, time.Now())
	}
}
