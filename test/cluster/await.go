package cluster

import (
	"context"
	"fmt"
	"time"
)

// startTimeout bounds each wait of a start. On an idle machine none takes more than a few seconds.
const startTimeout = 2 * time.Minute

// await returns when ready returns nil, or with an error when a process ends or the time is up.
func await(ctx context.Context, what string, processes []*process, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("not there after %s", startTimeout))
	defer cancel()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		for _, p := range processes {
			select {
			case <-p.done:
				return fmt.Errorf("waiting for %s: %w", what, p.ended())
			default:
			}
		}
		if !wait(ctx, 50*time.Millisecond) {
			return fmt.Errorf("waiting for %s: %w: %w", what, context.Cause(ctx), err)
		}
	}
}

// wait is false when ctx ended before the time was up.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
