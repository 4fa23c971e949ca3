package issuer

import "time"

// leastShare is the part of a lifetime that certificates get however long ago
// the roots were confirmed: a mesh whose control plane is cut off for days is
// better off with certificates than without.
const leastShare = 4

// Confirm says that the roots were known to be right at that time: no
// root had been replaced. From the first time on, certificates end one
// lifetime after the last time at the latest, though they are not issued for
// less than a quarter of it. So none outlives the trust in a root that was
// replaced unheard, which lasts a lifetime from then on.
func (m *Manager) Confirm(at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.confirmed = at.Round(0)
}

// lifetime is what certificates are asked for now.
func (m *Manager) lifetime(now time.Time) time.Duration {
	if m.confirmed.IsZero() {
		return m.ttl
	}
	passed := max(0, now.Round(0).Sub(m.confirmed))
	return max(m.ttl-passed, m.ttl/leastShare)
}
