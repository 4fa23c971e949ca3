package bootstrap

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

const (
	// resync repeats the steps though nothing was seen to change: certificates
	// age, and roots retire.
	resync = time.Hour

	firstRetry = time.Second
	lastRetry  = time.Minute
)

// Runner repeats the steps of a Bootstrap.
type Runner struct {
	Bootstrap *Bootstrap
	// Changed receives a value when anything may have changed that the steps
	// set. It has one slot.
	Changed <-chan struct{}

	failure atomic.Pointer[error]
}

// Run carries out the steps now, and again after every change, until ctx ends.
// What fails is tried again.
func (r *Runner) Run(ctx context.Context) error {
	retry := firstRetry
	for {
		again, err := r.Bootstrap.round(ctx)
		if ctx.Err() != nil {
			return nil
		}
		r.failure.Store(&err)
		next := resync
		if again > 0 {
			next = again
		}
		if err != nil {
			r.Bootstrap.Logger.Error("bootstrap failed; will try again", "error", err, "in", retry)
			next, retry = retry, min(2*retry, lastRetry)
		} else {
			retry = firstRetry
		}
		if !r.wait(ctx, next) {
			return nil
		}
	}
}

// wait returns false when ctx ends.
func (r *Runner) wait(ctx context.Context, atMost time.Duration) bool {
	timer := time.NewTimer(atMost)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Changed:
	case <-ctx.Done():
		return false
	}
	return true
}

// Ready returns nil once the last attempt succeeded, or failed for objects
// alone that cannot be read: they may wait for a conversion, which is nowhere
// to be had while no replica is ready.
func (r *Runner) Ready() error {
	failure := r.failure.Load()
	if failure == nil {
		return errors.New("bootstrap has not finished yet")
	}
	var unreadable *unreadableError
	if errors.As(*failure, &unreadable) {
		return nil
	}
	return *failure
}
