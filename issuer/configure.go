package issuer

import (
	"fmt"
	"time"
)

// Configure changes the lifetime and the key algorithm of certificates that are
// issued from now on. Those there are are replaced when they would have been
// anyway, except for those that live longer than the new lifetime: they are
// replaced within a sixth of it, spread as renewals are. Nothing changes when it
// fails.
func (m *Manager) Configure(ttl time.Duration, algorithm KeyAlgorithm) error {
	if ttl <= 0 {
		return fmt.Errorf("a lifetime of %s is not positive", ttl)
	}
	if _, err := ParseKeyAlgorithm(string(algorithm)); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	shorter := ttl < m.ttl
	m.ttl, m.keyAlgorithm = ttl, algorithm
	if !shorter {
		return nil
	}
	for _, e := range m.entries {
		if m.hasten(e) && len(e.subscriptions) > 0 {
			m.plan(e)
		}
	}
	return nil
}

// KeyAlgorithm returns that of keys that are made now.
func (m *Manager) KeyAlgorithm() KeyAlgorithm {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.keyAlgorithm
}

// hasten has a certificate renewed soon that lives longer than one that is asked
// for now, and reports whether it did. Renewals of a lifetime fall into a sixth
// of it, so that these crowd no more. What is held back is served before that.
func (m *Manager) hasten(e *entry) bool {
	i, now := &e.issued, time.Now().Round(0)
	if e.next != nil {
		i = &e.next.issued
	}
	if i.certificate == nil || i.certificate.NotAfter().Sub(now) <= m.ttl {
		return false
	}
	soon := now.Add(time.Duration(spread(e.identity) * float64(m.ttl) / 6))
	if !soon.Before(i.renewAt) {
		return false
	}
	i.renewAt = soon
	return true
}
