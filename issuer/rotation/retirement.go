package rotation

import (
	"sync"
	"time"

	"github.com/osm-edge/osm/issuer"
)

// RetirementPeriod tells how long a root that is replaced now stays trusted: as long as
// a certificate of it can live. It follows the lifetime that certificates are
// issued with, and does not forget those that were issued before. It is safe
// for concurrent use.
type RetirementPeriod struct {
	mu       sync.Mutex
	lifetime time.Duration
	until    time.Time // when the last certificate of an earlier lifetime ends
}

// NewRetirementPeriod returns the RetirementPeriod of certificates that live for that long.
func NewRetirementPeriod(lifetime time.Duration) *RetirementPeriod {
	return &RetirementPeriod{lifetime: lifetime}
}

// Set says how long certificates live that are issued from now on. It is to be
// called before they are.
func (o *RetirementPeriod) Set(lifetime time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if end := time.Now().Round(0).Add(o.lifetime); end.After(o.until) {
		o.until = end
	}
	o.lifetime = lifetime
}

// Now returns the retirementPeriod of a root that is replaced now. Clocks may differ,
// and an issuance that is under way may end on the earlier lifetime.
func (o *RetirementPeriod) Now() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	return max(o.lifetime, time.Until(o.until)) + issuer.ClockSkew
}
