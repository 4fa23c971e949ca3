package issuer

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/trustbundle"
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
		m.options.Metrics.observe(t.signer.Name, time.Since(started), out)
		m.settle(t, out, err)
	}()
	req, err := NewServiceRequest(t.keyAlgorithm, id)
	if err != nil {
		return issued{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, issueTimeout, errUnanswered)
	defer cancel()
	chain, err := t.signer.Issuer.Issue(ctx, req, t.ttl)
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
		certificate: cert, root: rootOf(chain, t.signer.Roots), signer: t.signer.Name, epoch: t.epoch,
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

// outcome is how it came out to ask an issuer.
type outcome string

const (
	granted   outcome = "issued"
	refused   outcome = "refused"     // this request; others may fare better
	abandoned outcome = "abandoned"   // the caller gave up, which says nothing of the issuer
	timedOut  outcome = "timeout"     // no answer in the time that an issuer has
	unusable  outcome = "unusable"    // it certified something else than what it was asked to
	away      outcome = "unavailable" // it failed, or could not be reached
)

// answered reports whether the issuer works.
func (o outcome) answered() bool { return o == granted || o == refused }

// failed reports whether the issuer, and not this request, is to blame.
func (o outcome) failed() bool { return !o.answered() && o != abandoned }

// issueTimeout bounds the wait for an issuer, whatever it waits for itself: it
// may be that no caller gives up, and none asks while a probe is out.
const issueTimeout = 30 * time.Second

// errUnanswered ends the wait for an issuer that does not answer.
var errUnanswered = fmt.Errorf("the issuer did not answer within %s", issueTimeout)

// outcomeOf tells how it came out that an issuer failed within ctx, and as what
// error.
func outcomeOf(ctx context.Context, err error) (outcome, error) {
	switch {
	case errors.Is(context.Cause(ctx), errUnanswered):
		return timedOut, fmt.Errorf("%w: %w", errUnanswered, err)
	case ctx.Err() != nil:
		return abandoned, err
	case errors.Is(err, ErrRefused):
		return refused, err
	}
	return away, err
}

// trialTTL is how long the certificate of a trial lives, which is not used.
const trialTTL = time.Hour

// Try has an issuer certify a key of an identity, and verifies the chain as every
// peer would. What is wrong with a root, an intermediate, a role or an approval shows
// by that alone, before anything depends on it.
func Try(ctx context.Context, i Issuer, algorithm KeyAlgorithm, id identity.Identity) error {
	request, err := NewServiceRequest(algorithm, id)
	if err != nil {
		return err
	}
	chain, err := i.Issue(ctx, request, trialTTL)
	if err != nil {
		return err
	}
	if err := request.Check(chain); err != nil {
		return err
	}
	roots, err := i.Roots(ctx)
	if err != nil {
		return err
	}
	return request.Verify(chain, roots, time.Now())
}

// Verify verifies a chain as the request's peers will: by its names, for each of
// its usages, and with no intermediate that some of them refuse. See
// [CheckAuthority].
func (r *Request) Verify(chain []*x509.Certificate, roots trustbundle.TrustBundle, now time.Time) error {
	leaf, intermediates := chain[0], x509.NewCertPool()
	for _, intermediate := range chain[1:] {
		if err := CheckAuthority(intermediate); err != nil {
			return fmt.Errorf("the intermediate %q: %w", intermediate.Subject, err)
		}
		intermediates.AddCert(intermediate)
	}
	if err := checkSignatureAlgorithm(leaf.SignatureAlgorithm); err != nil {
		return fmt.Errorf("certificate for %s: %w", r.commonName, err)
	}
	for _, usage := range r.usages {
		for _, name := range r.dnsNames {
			options := x509.VerifyOptions{
				Roots: roots.Pool(), Intermediates: intermediates, DNSName: name,
				KeyUsages: []x509.ExtKeyUsage{usage}, CurrentTime: VerifyTime(leaf, now),
			}
			if _, err := leaf.Verify(options); err != nil {
				return fmt.Errorf("no peer would accept the certificate for %s: %w", r.commonName, err)
			}
		}
	}
	return nil
}

// VerifyTime returns the time at which to verify a leaf that was issued now, by
// a clock that may be ahead of this one.
func VerifyTime(leaf *x509.Certificate, now time.Time) time.Time {
	if now.Before(leaf.NotBefore) && leaf.NotBefore.Sub(now) <= ClockSkew {
		return leaf.NotBefore
	}
	return now
}

// successor is a certificate that is held back, while the former is served.
type successor struct {
	issued
	servedAt time.Time // by the wall clock
}

// ServeAt returns when the certificate, of that root, takes the place of one that
// is valid until former: when clocks that are skew behind accept it. Clocks may
// be ahead, too, and refuse the former one as long before it ends. So neither is
// served in the half of the time that both are valid which is the other's.
func (c *Certificate) ServeAt(root *x509.Certificate, former time.Time, skew time.Duration) time.Time {
	begin, end := c.notBefore, c.notAfter
	if root != nil && root.NotBefore.After(begin) {
		begin = root.NotBefore
	}
	if former.Before(end) {
		end = former
	}
	if end.Before(begin) {
		return end
	}
	return begin.Add(min(skew, end.Sub(begin)/2))
}

// servedAt returns when the certificate is served that is made for the entry.
func (m *Manager) servedAt(e *entry, made issued, when moment) time.Time {
	if when == atOnce || !m.valid(e) {
		return time.Time{}
	}
	return made.certificate.ServeAt(made.root, e.certificate.NotAfter(), m.options.ClockSkew)
}

// review has what is held back take the former one's place before its time, if
// that is not valid any more, or drops it, if its own root is not trusted any more.
func (m *Manager) review(e *entry) {
	if e.next != nil && !(m.valid(e) && m.accepts(e.next.issued)) {
		m.takeOver(e)
	}
}

// takeOver serves and announces what was held back, unless it is not valid any
// more.
func (m *Manager) takeOver(e *entry) {
	next := e.next.issued
	e.next = nil
	if !m.accepts(next) {
		m.plan(e)
		return
	}
	if e.certificate != nil {
		m.options.Metrics.replaced(next.signer)
	}
	e.issued = next
	m.plan(e)
	m.announce(e)
}

// replacedAt is when what is served is to be replaced.
func (e *entry) replacedAt() time.Time {
	if e.next != nil {
		return e.next.servedAt
	}
	return e.renewAt
}
