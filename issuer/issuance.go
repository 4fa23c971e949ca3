package issuer

import (
	"context"
	"crypto/x509"
	"time"
)

// issuance is one that is under way: the first who needs it carries it out, and
// the others wait.
type issuance struct {
	done        chan struct{}
	certificate *Certificate
	err         error
	abandoned   bool // by the first, who gave up or never came back
}

// issueOnce carries out the identity's issuance, or waits while somebody else
// does. When that one gives up, another takes over. The check, under the
// Manager's lock, tells whether there still is something to do, so that nobody
// who saw no certificate misses the issuance that has just made it.
func (m *Manager) issueOnce(ctx context.Context, id Identity, check func() (*Certificate, bool)) (*Certificate, error) {
	for {
		m.mu.Lock()
		if cert, done := check(); done {
			m.mu.Unlock()
			return cert, nil
		}
		i := m.issuing[id]
		if i == nil {
			i = &issuance{done: make(chan struct{}), abandoned: true}
			m.issuing[id] = i
			m.mu.Unlock()
			m.carryOut(ctx, id, i)
			return i.certificate, i.err
		}
		m.mu.Unlock()
		select {
		case <-i.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if !i.abandoned {
			return i.certificate, i.err
		}
	}
}

func (m *Manager) carryOut(ctx context.Context, id Identity, i *issuance) {
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.issuing[id] == i {
			delete(m.issuing, id)
		}
		close(i.done)
	}()
	i.certificate, i.err = m.issue(ctx, id)
	i.abandoned = i.err != nil && ctx.Err() != nil
}

// issue asks the signing root, and asks again if another root signs by the time
// the answer is there.
func (m *Manager) issue(ctx context.Context, id Identity) (*Certificate, error) {
	for {
		t, err := m.admit()
		if err != nil {
			return nil, err
		}
		cert, root, err := m.issueOn(ctx, t, id)
		if err != nil {
			return nil, err
		}
		if m.keep(id, cert, root, t) {
			return cert, nil
		}
	}
}

// issueOn returns the certificate and the root that it leads to.
func (m *Manager) issueOn(ctx context.Context, t terms, id Identity) (cert *Certificate, root *x509.Certificate, err error) {
	started, out := time.Now(), abandoned
	defer func() {
		m.options.Metrics.observe(t.root.Name, time.Since(started), out)
		m.settle(t, out, err)
	}()
	req, err := NewServiceRequest(t.keyAlgorithm, id)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, issueTimeout, errUnanswered)
	defer cancel()
	chain, err := t.root.Issuer.Issue(ctx, req, t.ttl)
	if err != nil {
		out, err = outcomeOf(ctx, err)
		return nil, nil, err
	}
	if cert, err = req.Certificate(chain); err != nil {
		out = unusable
		return nil, nil, err
	}
	out = issued
	return cert, rootOf(chain, t.trusted), nil
}

// keep stores and announces the certificate; false if its root signs no more.
// The issuance ends with it: whoever has seen the certificate and asks for
// another must not be handed the same one again.
func (m *Manager) keep(id Identity, cert *Certificate, root *x509.Certificate, t terms) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t.epoch != m.epoch {
		return false
	}
	e := m.entries[id]
	if e == nil {
		e = m.newEntry(id)
	}
	if e.certificate != nil {
		m.options.Metrics.replaced(t.root.Name)
	}
	e.certificate, e.root, e.epoch, e.failures = cert, root, t.epoch, 0
	e.renewAt = renewalTime(id, time.Now(), cert.NotAfter())
	if t.ttl > m.ttl { // Configure came between
		m.hasten(e)
	}
	delete(m.issuing, id)
	m.plan(e)
	m.announce(e)
	return true
}
