package issuer

import (
	"crypto/x509"
	"time"
)

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
