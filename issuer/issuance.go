package issuer

import (
	"context"
	"time"

	"github.com/osm-edge/osm/issuer/identity"
)

// issuance is one that is under way: the first who needs it carries it out, and
// the others wait.
type issuance struct {
	done        chan struct{}
	certificate *Certificate
	err         error
	abandoned   bool   // by the first, who gave up or never came back
	when        moment // the soonest of those who wait; the Manager's lock guards it
}

// moment is when a certificate is served that replaces one.
type moment int

const (
	inTime moment = iota // when clocks that are behind accept it
	atOnce
)

// issueOnce carries out the identity's issuance, or waits while another caller
// does. When that one gives up, another takes over. The check, under the
// Manager's lock, tells whether there still is something to do, so that no
// caller without a certificate misses the issuance that has just made it.
func (m *Manager) issueOnce(ctx context.Context, id identity.Identity, when moment, check func() (*Certificate, bool)) (*Certificate, error) {
	for {
		m.mu.Lock()
		if cert, done := check(); done {
			m.mu.Unlock()
			return cert, nil
		}
		i := m.issuing[id]
		if i == nil {
			i = &issuance{done: make(chan struct{}), abandoned: true, when: when}
			m.issuing[id] = i
			m.mu.Unlock()
			m.carryOut(ctx, id, i)
			return i.certificate, i.err
		}
		i.when = max(i.when, when)
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

func (m *Manager) carryOut(ctx context.Context, id identity.Identity, i *issuance) {
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.issuing[id] == i {
			delete(m.issuing, id)
		}
		close(i.done)
	}()
	i.certificate, i.err = m.issue(ctx, id, i)
	i.abandoned = i.err != nil && ctx.Err() != nil
}

// issue asks the signing root, and asks again if another root signs by the time
// the answer is there.
func (m *Manager) issue(ctx context.Context, id identity.Identity, i *issuance) (*Certificate, error) {
	for {
		t, err := m.admit()
		if err != nil {
			return nil, err
		}
		made, err := m.issueOn(ctx, t, id)
		if err != nil {
			return nil, err
		}
		if m.keep(id, made, t, i) {
			return made.certificate, nil
		}
	}
}

// issueOn returns the certificate and the root that it leads to.
func (m *Manager) issueOn(ctx context.Context, t terms, id identity.Identity) (made issued, err error) {
	started, out := time.Now(), abandoned
	defer func() {
		m.options.Metrics.observe(t.root.Name, time.Since(started), out)
		m.settle(t, out, err)
	}()
	req, err := NewServiceRequest(t.keyAlgorithm, id)
	if err != nil {
		return issued{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, issueTimeout, errUnanswered)
	defer cancel()
	chain, err := t.root.Issuer.Issue(ctx, req, t.ttl)
	if err != nil {
		out, err = outcomeOf(ctx, err)
		return issued{}, err
	}
	cert, err := req.Certificate(chain)
	if err != nil {
		out = unusable
		return issued{}, err
	}
	out = granted
	return issued{
		certificate: cert, root: rootOf(chain, t.trusted), signer: t.root.Name, epoch: t.epoch,
		renewAt: renewalTime(id, time.Now(), cert.NotAfter()),
	}, nil
}

// keep stores the certificate, and serves it now or holds it back until clocks
// that are behind accept it; false if its root signs no more. The issuance ends
// with it: a caller that has the certificate and asks for another must not
// get the same one again.
func (m *Manager) keep(id identity.Identity, made issued, t terms, i *issuance) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t.epoch != m.epoch {
		return false
	}
	e := m.entries[id]
	if e == nil {
		e = m.newEntry(id)
	}
	e.failures = 0
	e.next = &successor{made, m.servedAt(e, made, i.when)}
	if t.ttl > m.ttl { // Configure came between
		m.hasten(e)
	}
	delete(m.issuing, id)
	if time.Now().Before(e.next.servedAt) {
		m.plan(e)
	} else {
		m.takeOver(e)
	}
	return true
}
