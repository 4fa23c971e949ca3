package issuer

import "time"

// terms are what the next certificate is issued on.
type terms struct {
	root         Root
	trusted      TrustBundle // of the root
	epoch        uint64      // of the root
	ttl          time.Duration
	keyAlgorithm KeyAlgorithm
	probe        bool // of a circuit that is open
}

// admit returns the terms for a caller that asks the signing root now, and
// then reports the result: see settle.
func (m *Manager) admit() (terms, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.signing.Issuer == nil {
		return terms{}, ErrNoRoot
	}
	probe, admitted := m.circuit.admit(time.Now())
	if !admitted {
		return terms{}, &outage{m.health()}
	}
	return terms{m.signing, m.trusted, m.epoch, m.lifetime(time.Now()), m.keyAlgorithm, probe}, nil
}
