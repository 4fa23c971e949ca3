package issuer

import (
	"container/heap"
	"context"
	"crypto/x509"
	"errors"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/osm-edge/osm/issuer/identity"
)

const (
	firstRetry = time.Second
	lastRetry  = 5 * time.Minute
)

// work does what falls due until ctx ends.
func (m *Manager) work(ctx context.Context) {
	for {
		e, ok := m.next(ctx)
		if !ok {
			return
		}
		m.refresh(ctx, e.identity)
	}
}

// refresh issues a certificate for the identity if that is due.
func (m *Manager) refresh(ctx context.Context, id identity.Identity) {
	_, err := m.issueOnce(ctx, id, inTime, func() (*Certificate, bool) { return nil, !m.isDue(id) })
	if err == nil {
		return
	}
	_, notAsked := errors.AsType[*outage](err)
	m.failed(id, notAsked)
	if ctx.Err() == nil && !notAsked && !errors.Is(err, ErrNoRoot) { // as long as a start takes, there is none
		m.options.Logger.Error("cannot issue a certificate; will try again", "identity", id.String(), "error", err)
	}
}

// isDue reports whether the identity needs a new certificate now. It serves the
// one that was held back until now, and gives the identity up if it has no
// subscriber any more.
func (m *Manager) isDue(id identity.Identity) bool {
	e := m.entries[id]
	switch {
	case e == nil:
		return false
	case time.Now().Before(e.due):
		m.schedule(e, e.due) // it may be outside of the queue
		return false
	case len(e.subscriptions) == 0:
		e.leaveQueue()
		delete(m.entries, id)
		return false
	case e.next != nil:
		m.takeOver(e)
		return false
	}
	return true
}

// failed schedules the next attempt, or what is next without one: another caller
// may have issued meanwhile, or the last subscriber left. While the circuit is
// open it puts attempts off, and those of no identity any further, so that all
// of them follow when the issuer is back. Who was the probe makes way for the
// others: should it be the one that the issuer stumbles over, they go first.
func (m *Manager) failed(id identity.Identity, notAsked bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[id]
	switch {
	case e == nil:
	case len(e.subscriptions) == 0 || m.fresh(e):
		m.plan(e)
	case notAsked:
		m.schedule(e, e.due)
	case m.circuit.open():
		m.schedule(e, m.circuit.next)
	default:
		e.failures++
		m.schedule(e, time.Now().Add(retryDelay(e.failures)))
	}
}

// renewalTime lies between 1/2 and 2/3 of the life that is left, by the wall
// clock. Certificates that are issued together are not renewed together.
func renewalTime(id identity.Identity, now, notAfter time.Time) time.Time {
	life := notAfter.Sub(now)
	return now.Round(0).Add(life/2 + time.Duration(spread(id)*float64(life)/6))
}

// spread is a number from 0 to 1 that depends on the identity alone.
func spread(id identity.Identity) float64 {
	h := fnv.New32a()
	h.Write([]byte(id.CommonName())) // never fails, says hash.Hash
	return float64(h.Sum32()) / (1 << 32)
}

func retryDelay(failures int) time.Duration { return backOff(failures-1, firstRetry, lastRetry) }

// backOff doubles with every time before, and is cut by up to its half, so that
// those that failed together do not come back together.
func backOff(before int, first, last time.Duration) time.Duration {
	delay := last
	if before < 10 {
		delay = min(first<<before, last)
	}
	return delay/2 + rand.N(delay/2)
}

// queue holds entries in the order in which they fall due. The Manager's lock
// guards it. An entry is in one queue at most.
type queue []*entry

// put places the entry by when it falls due now.
func (q *queue) put(e *entry, due time.Time) {
	if e.queue != q {
		e.leaveQueue()
	}
	e.due = due.Round(0) // without the reading of the monotonic clock
	if e.queue == nil {
		heap.Push(q, e)
		return
	}
	heap.Fix(q, e.place)
}

// leaveQueue takes the entry out of the queue that it is in.
func (e *entry) leaveQueue() {
	if e.queue != nil {
		heap.Remove(e.queue, e.place)
	}
}

// Len implements heap.Interface.
func (q queue) Len() int { return len(q) }

// Less implements heap.Interface.
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }

// Swap implements heap.Interface.
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

// Push implements heap.Interface.
func (q *queue) Push(x any) {
	e := x.(*entry)
	e.queue, e.place = q, len(*q)
	*q = append(*q, e)
}

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	e.queue = nil
	return e
}

// schedule has Run look at the entry when it falls due. One that has its next
// certificate does not wait with those that need one.
func (m *Manager) schedule(e *entry, due time.Time) {
	q := &m.queue
	if e.next != nil {
		q = &m.handovers
	}
	q.put(e, due)
	if e.place == 0 {
		m.wakeWorker()
	}
}

func (m *Manager) wakeWorker() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// next waits for an entry that is due. Once ctx has ended there is none.
func (m *Manager) next(ctx context.Context) (*entry, bool) {
	for ctx.Err() == nil {
		e, wait := m.takeDue()
		if e != nil {
			return e, true
		}
		select {
		case <-time.After(wait):
		case <-m.wake:
		case <-ctx.Done():
		}
	}
	return nil, false
}

// takeDue takes the first entry out of a queue, or says when to look again.
// While the issuer fails, the queue of those that need it stands still but for
// its probes.
func (m *Manager) takeDue() (*entry, time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	first, wait := m.handovers.takeDue(0)
	if first == nil {
		var other time.Duration
		first, other = m.queue.takeDue(m.circuit.wait(time.Now()))
		wait = min(wait, other)
	}
	if first == nil {
		return nil, min(wait, m.options.LongestSleep)
	}
	m.wakeWorker() // another one, for what is first now
	return first, 0
}

// takeDue takes out the first entry if it is due and the queue not closed, or
// returns how long that takes.
func (q *queue) takeDue(closed time.Duration) (*entry, time.Duration) {
	if len(*q) == 0 {
		return nil, math.MaxInt64
	}
	first := (*q)[0]
	if wait := max(time.Until(first.due), closed); wait > 0 {
		return nil, wait
	}
	first.leaveQueue()
	return first, 0
}

// Progress counts the identities that have subscribers and, of them, those
// with a valid certificate of the root that signs.
func (m *Manager) Progress() (current, total int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.entries {
		if len(e.subscriptions) == 0 {
			continue
		}
		total++
		if m.valid(e) && e.epoch == m.epoch {
			current++
		}
	}
	return current, total
}

// HeldBack counts the identities that have subscribers and a
// certificate of the root that signs which is not served yet.
func (m *Manager) HeldBack() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.entries {
		if len(e.subscriptions) > 0 && e.next != nil && e.next.epoch == m.epoch {
			n++
		}
	}
	return n
}

var (
	certificatesDesc = prometheus.NewDesc("osm_certificates",
		"Service identities that a sidecar uses, by the state of their certificate: fresh, overdue for its renewal, or missing.",
		[]string{"state"}, nil)
	earliestDesc = prometheus.NewDesc("osm_certificate_earliest_not_after_timestamp_seconds",
		"When the first of the service certificates in use expires, in seconds since 1970.", nil, nil)
)

// inventory is the state of the certificates that have subscribers.
type inventory struct {
	fresh, overdue, missing int
	earliest                time.Time // zero without any
}

// inventory counts. One that another root than that which signs has signed is
// fresh: its replacement is a rotation's matter.
func (m *Manager) inventory() (i inventory) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	for _, e := range m.entries {
		switch {
		case len(e.subscriptions) == 0:
			continue
		case !m.valid(e):
			i.missing++
			continue
		case now.After(e.replacedAt()):
			i.overdue++
		default:
			i.fresh++
		}
		if end := e.certificate.NotAfter(); i.earliest.IsZero() || end.Before(i.earliest) {
			i.earliest = end
		}
	}
	return i
}

// Describe implements prometheus.Collector.
func (m *Manager) Describe(descs chan<- *prometheus.Desc) {
	descs <- certificatesDesc
	descs <- earliestDesc
}

// Collect implements prometheus.Collector. Identities are told in sum: a series
// for each would be more than a Prometheus bears of a large mesh.
func (m *Manager) Collect(metrics chan<- prometheus.Metric) {
	i := m.inventory()
	for state, n := range map[string]int{"fresh": i.fresh, "overdue": i.overdue, "missing": i.missing} {
		metrics <- prometheus.MustNewConstMetric(certificatesDesc, prometheus.GaugeValue, float64(n), state)
	}
	if !i.earliest.IsZero() {
		metrics <- prometheus.MustNewConstMetric(earliestDesc, prometheus.GaugeValue, float64(i.earliest.Unix()))
	}
}

// Holding is a certificate that a Manager holds for those who subscribe to it.
type Holding struct {
	Identity identity.Identity
	// Certificate is nil while there is none that is valid.
	Certificate *Certificate
	// Root is what it leads to; nil if that is not known.
	Root *x509.Certificate
	// RenewAt is when it is to be replaced, by the wall clock.
	RenewAt time.Time
}

// Holdings returns what the Manager holds of identities that have
// subscribers, in the order of their SPIFFE IDs.
func (m *Manager) Holdings() []Holding {
	held := m.holdings()
	slices.SortFunc(held, func(a, b Holding) int { return strings.Compare(a.Identity.String(), b.Identity.String()) })
	return held
}

func (m *Manager) holdings() []Holding {
	m.mu.Lock()
	defer m.mu.Unlock()
	held := make([]Holding, 0, len(m.entries))
	for _, e := range m.entries {
		if len(e.subscriptions) == 0 {
			continue
		}
		h := Holding{Identity: e.identity}
		if m.valid(e) {
			h.Certificate, h.Root, h.RenewAt = e.certificate, e.root, e.replacedAt()
		}
		held = append(held, h)
	}
	return held
}
