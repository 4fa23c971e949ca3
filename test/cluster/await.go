package cluster

import (
	"context"
	"fmt"
	"time"
)

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
