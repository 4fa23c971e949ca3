package issuer

// Progress counts the identities that somebody subscribes to and, of them, those
// with a valid certificate of the root that signs.
func (m *Manager) Progress() (current, total int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.entries {
		if len(e.subscriptions) == 0 {
			continue
		}
		total++
		if m.valid(e) && e.epoch == m.epoch {
			current++
		}
	}
	return current, total
}
