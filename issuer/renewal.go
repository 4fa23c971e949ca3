package issuer

import (
	"context"
	"hash/fnv"
	"math/rand/v2"
	"time"
)

const (
	firstRetry = time.Second
	lastRetry  = 5 * time.Minute

	// longestSleep bounds how late a timer is that slept while the machine did:
	// timers follow the monotonic clock, which stands still then, and
	// certificates end by the wall clock.
	longestSleep = 10 * time.Minute
)

// entry is what a Manager holds for an identity. The Manager's lock guards it.
type entry struct {
	identity      Identity
	certificate   *Certificate // nil before the first
	epoch         uint64       // of the root that signed it
	renewAt       time.Time    // zero before the first
	failures      int          // in a row
	due           time.Time    // when Run is to look at it, by the wall clock
	timer         *time.Timer  // wakes Run for that
	version       uint64       // of its latest Update
	subscriptions map[*Subscription]struct{}
}

func (e *entry) valid() bool {
	return e.certificate != nil && time.Now().Before(e.certificate.NotAfter())
}

// newEntry has a version of its own, so that whoever subscribes is behind until
// the first Update.
func (m *Manager) newEntry(id Identity) *entry {
	m.version++
	e := &entry{identity: id, version: m.version, subscriptions: map[*Subscription]struct{}{}}
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

func (m *Manager) schedule(e *entry, at time.Time) {
	e.due = at.Round(0) // without the reading of the monotonic clock
	m.sleep(e)
}

// sleep sets the entry's one timer.
func (m *Manager) sleep(e *entry) {
	in := min(time.Until(e.due), longestSleep)
	if e.timer == nil {
		e.timer = time.AfterFunc(in, func() { m.due.add(e.identity) })
		return
	}
	e.timer.Reset(in)
}

// work does what falls due until ctx ends.
func (m *Manager) work(ctx context.Context) {
	for {
		id, err := m.due.next(ctx)
		if err != nil {
			return
		}
		m.refresh(ctx, id)
	}
}

// refresh issues a certificate for the identity if that is due.
func (m *Manager) refresh(ctx context.Context, id Identity) {
	_, err := m.issueOnce(ctx, id, func() (*Certificate, bool) { return nil, !m.isDue(id) })
	if err != nil && ctx.Err() == nil {
		m.options.Logger.Error("cannot issue a certificate; will try again", "identity", id.String(), "error", err)
	}
}

// isDue reports whether the identity needs a new certificate now, and gives it
// up if nobody subscribes to it any more.
func (m *Manager) isDue(id Identity) bool {
	e := m.entries[id]
	switch {
	case e == nil:
		return false
	case time.Now().Before(e.due):
		m.sleep(e)
		return false
	case len(e.subscriptions) == 0:
		e.timer.Stop()
		delete(m.entries, id)
		return false
	}
	return true
}

// renewalTime lies between 1/2 and 2/3 of the life that is left. Where exactly
// depends on the identity alone, so that certificates issued together are not
// renewed together.
func renewalTime(id Identity, now, notAfter time.Time) time.Time {
	life := notAfter.Sub(now)
	h := fnv.New32a()
	h.Write([]byte(id.CommonName())) // never fails, says hash.Hash
	spread := float64(h.Sum32()) / (1 << 32)
	return now.Add(life/2 + time.Duration(spread*float64(life)/6))
}

// retryDelay doubles with every failure and is spread by half of it.
func retryDelay(failures int) time.Duration {
	delay := lastRetry
	if shift := failures - 1; shift < 9 {
		delay = min(firstRetry<<shift, lastRetry)
	}
	return delay/2 + rand.N(delay/2)
}
