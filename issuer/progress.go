package issuer

// Progress counts the identities that have subscribers and, of them, those
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

// HeldBack counts the identities that have subscribers and a
// certificate of the root that signs which is not served yet.
func (m *Manager) HeldBack() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.entries {
		if len(e.subscriptions) > 0 && e.next != nil && e.next.epoch == m.epoch {
			n++
		}
	}
	return n
}
