package issuer

import (
	"context"
	"errors"
	"hash/fnv"
	"math/rand/v2"
	"time"
)

const (
	firstRetry = time.Second
	lastRetry  = 5 * time.Minute

	// issueTimeout bounds an issuance in the background, whatever its issuer
	// waits for: there is nobody else to give up.
	issueTimeout = 30 * time.Second
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
func (m *Manager) refresh(ctx context.Context, id Identity) {
	bounded, cancel := context.WithTimeout(ctx, issueTimeout)
	defer cancel()
	_, err := m.issueOnce(bounded, id, func() (*Certificate, bool) { return nil, !m.isDue(id) })
	if err == nil {
		return
	}
	m.failed(id)
	if ctx.Err() == nil && !errors.Is(err, ErrNoRoot) { // as long as a start takes, there is none
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
		m.schedule(e, e.due) // it may be outside of the queue
		return false
	case len(e.subscriptions) == 0:
		m.queue.remove(e)
		delete(m.entries, id)
		return false
	}
	return true
}

// failed schedules the next attempt, or what is next without one: somebody else
// may have issued meanwhile, or the last subscriber left.
func (m *Manager) failed(id Identity) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[id]
	switch {
	case e == nil:
	case len(e.subscriptions) == 0 || m.fresh(e):
		m.plan(e)
	default:
		e.failures++
		m.schedule(e, time.Now().Add(retryDelay(e.failures)))
	}
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
