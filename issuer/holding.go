package issuer

import (
	"crypto/x509"
	"slices"
	"strings"
	"time"

	"github.com/osm-edge/osm/issuer/identity"
)

// Holding is a certificate that a Manager holds for those who subscribe to it.
type Holding struct {
	Identity identity.Identity
	// Certificate is nil while there is none that is valid.
	Certificate *Certificate
	// Root is what it leads to; nil if that is not known.
	Root *x509.Certificate
	// RenewAt is when it is to be replaced, by the wall clock.
	RenewAt time.Time
}

// Holdings returns what the Manager holds of identities that have
// subscribers, in the order of their SPIFFE IDs.
func (m *Manager) Holdings() []Holding {
	held := m.holdings()
	slices.SortFunc(held, func(a, b Holding) int { return strings.Compare(a.Identity.String(), b.Identity.String()) })
	return held
}

func (m *Manager) holdings() []Holding {
	m.mu.Lock()
	defer m.mu.Unlock()
	held := make([]Holding, 0, len(m.entries))
	for _, e := range m.entries {
		if len(e.subscriptions) == 0 {
			continue
		}
		h := Holding{Identity: e.identity}
		if m.valid(e) {
			h.Certificate, h.Root, h.RenewAt = e.certificate, e.root, e.replacedAt()
		}
		held = append(held, h)
	}
	return held
}
