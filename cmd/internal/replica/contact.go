package replica

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	contactPeriod  = 5 * time.Second
	contactTimeout = 5 * time.Second
	// readinessTimeout is how long the API server may be away before a replica is
	// not ready any more.
	readinessTimeout = 20 * time.Second
	// drainTimeout is how long it may be away before the replica sends its proxies
	// to others. That it is not ready is known by then.
	drainTimeout = 30 * time.Second
)

// Contact knows when this replica last knew that its view of the record is that of
// all others. All exported fields are required.
type Contact struct {
	// Confirm returns nil if that view is still right.
	Confirm func(context.Context) error
	// Confirmed is called with the time at which it was.
	Confirmed func(time.Time)
	// Drain ends the streams of proxies, which come back on other replicas.
	Drain  func()
	Logger *slog.Logger

	last atomic.Pointer[time.Time]
}

// Run confirms the view again and again, until ctx ends. A replica that cannot may
// be the only one: it sends its proxies away once, and continues to serve those that
// come.
func (c *Contact) Run(ctx context.Context) error {
	ticker := time.NewTicker(contactPeriod)
	defer ticker.Stop()
	drained := false
	for {
		started := time.Now().Round(0)
		if err := c.confirm(ctx); err == nil {
			c.last.Store(&started)
			c.Confirmed(started)
			drained = false
		} else if ctx.Err() == nil && !drained && c.lostFor(drainTimeout) {
			c.Logger.Warn("the API server is away; proxies are sent to other replicas", "error", err)
			c.Drain()
			drained = true
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (c *Contact) confirm(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, contactTimeout)
	defer cancel()
	return c.Confirm(ctx)
}

// Check returns nil unless this replica has not reached the API server for long.
func (c *Contact) Check() error {
	if !c.lostFor(readinessTimeout) {
		return nil
	}
	return fmt.Errorf("the API server was last reached at %s", c.last.Load().UTC().Format(time.RFC3339))
}

// lostFor reports whether there was contact, and none for that long.
func (c *Contact) lostFor(d time.Duration) bool {
	last := c.last.Load()
	return last != nil && time.Since(*last) > d
}
