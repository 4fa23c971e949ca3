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

	// issueTimeout bounds one issuance, whatever its issuer waits for.
	issueTimeout = 30 * time.Second
)

// entry is what a Manager holds for an identity. The Manager's lock guards it.
type entry struct {
	identity      Identity
	certificate   *Certificate // nil before the first
	version       uint64       // of the Update that announced it last
	epoch         uint64       // of the root that signed it
	renewAt       time.Time
	failures      int // in a row
	timer         *time.Timer
	subscriptions map[*Subscription]struct{}
}

func (e *entry) valid() bool {
	return e.certificate != nil && time.Now().Before(e.certificate.NotAfter())
}

func (m *Manager) newEntry(id Identity) *entry {
	e := &entry{identity: id, subscriptions: map[*Subscription]struct{}{}}
	m.entries[id] = e
	return e
}

// issueOnce issues a certificate for the identity unless that is being done,
// and waits for it. The issuance itself outlives a caller that gives up, for
// the others who wait.
func (m *Manager) issueOnce(ctx context.Context, id Identity) (*Certificate, error) {
	result := m.issuing.DoChan(id.String(), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), issueTimeout)
		defer cancel()
		return m.issue(ctx, id)
	})
	select {
	case r := <-result:
		cert, _ := r.Val.(*Certificate)
		return cert, r.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// issue asks the signing root, and asks again if another root signs by the time
// the answer is there.
func (m *Manager) issue(ctx context.Context, id Identity) (*Certificate, error) {
	for {
		root, epoch := m.currentRoot()
		cert, err := m.issueFrom(ctx, root, id)
		if err != nil {
			m.failed(id)
			return nil, err
		}
		if m.keep(id, cert, epoch) {
			return cert, nil
		}
	}
}

func (m *Manager) currentRoot() (Root, uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.signing, m.epoch
}

func (m *Manager) issueFrom(ctx context.Context, root Root, id Identity) (cert *Certificate, err error) {
	if root.Issuer == nil {
		return nil, ErrNoRoot
	}
	started := time.Now()
	defer func() { m.options.Metrics.observe(root.Name, time.Since(started), err) }()
	req, err := NewServiceRequest(m.options.KeyAlgorithm, id)
	if err != nil {
		return nil, err
	}
	chain, err := root.Issuer.Issue(ctx, req, m.options.TTL)
	if err != nil {
		return nil, err
	}
	return req.Certificate(chain)
}

// keep stores and announces the certificate; false if its root signs no more.
func (m *Manager) keep(id Identity, cert *Certificate, epoch uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if epoch != m.epoch {
		return false
	}
	e := m.entries[id]
	if e == nil {
		e = m.newEntry(id)
	}
	e.certificate, e.epoch, e.failures = cert, epoch, 0
	e.renewAt = renewalTime(id, time.Now(), cert.NotAfter())
	m.schedule(e, time.Until(e.renewAt))
	m.announce(e)
	return true
}

// failed schedules the next attempt, if anybody still waits for it.
func (m *Manager) failed(id Identity) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[id]
	if e == nil {
		return
	}
	e.failures++
	m.schedule(e, retryDelay(e.failures))
}

// refresh does what the identity's timer, its first subscriber or a new root
// asked for.
func (m *Manager) refresh(ctx context.Context, id Identity) {
	if !m.wanted(id) {
		return
	}
	if _, err := m.issueOnce(ctx, id); err != nil && ctx.Err() == nil {
		m.options.Logger.Error("cannot issue a certificate; will try again", "identity", id.String(), "error", err)
	}
}

// wanted reports whether the identity needs a new certificate now, and gives it
// up if nobody subscribes to it any more.
func (m *Manager) wanted(id Identity) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[id]
	if e == nil {
		return false
	}
	if len(e.subscriptions) == 0 {
		e.timer.Stop()
		delete(m.entries, id)
		return false
	}
	return !e.valid() || e.epoch != m.epoch || !time.Now().Before(e.renewAt)
}

// schedule sets the entry's one timer.
func (m *Manager) schedule(e *entry, in time.Duration) {
	if e.timer == nil {
		e.timer = time.AfterFunc(in, func() { m.due.add(e.identity) })
		return
	}
	e.timer.Reset(in)
}

func (m *Manager) stopTimers() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.entries {
		if e.timer != nil {
			e.timer.Stop()
		}
	}
}

// announce sends the entry's state to all who subscribe to it, unless there is
// nothing valid to send.
func (m *Manager) announce(e *entry) {
	if !e.valid() {
		return
	}
	m.version++
	e.version = m.version
	for s := range e.subscriptions {
		s.announce(m.update(e))
	}
}

func (m *Manager) update(e *entry) Update {
	return Update{Version: e.version, Certificate: e.certificate, Bundle: m.bundle}
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
