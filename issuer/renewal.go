package issuer

import (
	"context"
	"errors"
	"hash/fnv"
	"math/rand/v2"
	"time"

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
