package certmanager

import (
	"crypto/x509"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/osm-edge/osm/issuer/trustbundle"
)

// lifetime returns what to ask for: whole seconds, which is what certificates
// count in, and no longer than a root lives, which cert-manager does not look
// at.
func lifetime(ttl time.Duration, roots trustbundle.TrustBundle, now time.Time) (time.Duration, error) {
	if ttl < time.Second {
		return 0, fmt.Errorf("a lifetime of %s is shorter than a second", ttl)
	}
	var end time.Time
	for _, root := range roots.Roots() {
		if root.NotAfter.After(end) {
			end = root.NotAfter
		}
	}
	left := end.Sub(now)
	if left < time.Second {
		return 0, fmt.Errorf("the last root ends at %s", end.UTC())
	}
	return min(ttl, left).Truncate(time.Second), nil
}

// shortening remembers by how much lifetimes were cut, to tell of each once.
type shortening struct {
	logger *slog.Logger

	mu   sync.Mutex
	told time.Duration // zero while nothing is cut
}

// see compares what a certificate was asked to live with what it lives. Less
// than a twentieth is nothing to tell of.
func (s *shortening) see(leaf *x509.Certificate, asked time.Duration, now time.Time) {
	granted := leaf.NotAfter.Sub(now).Round(time.Second)
	slack := asked / 20
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case asked-granted <= slack:
		s.told = 0
		return
	case (granted-s.told).Abs() <= slack && s.told != 0:
		return
	}
	s.told = granted
	s.logger.Warn("the issuer shortens certificates; they are renewed accordingly", "asked", asked, "granted", granted)
}
