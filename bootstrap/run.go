package bootstrap

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
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

	latest atomic.Pointer[result]
}

// Run carries out the steps now, and again after every change, until ctx ends.
// What fails is tried again.
func (r *Runner) Run(ctx context.Context) error {
	retries := wait.Backoff{Duration: firstRetry, Factor: 2, Cap: lastRetry, Steps: math.MaxInt32}
	for backoff := retries; ; {
		latest := r.Bootstrap.round(ctx)
		if ctx.Err() != nil {
			return nil
		}
		r.latest.Store(&latest)
		next := resync
		if latest.again > 0 {
			next = latest.again
		}
		if err := latest.failure(); err != nil {
			retry := backoff.Step()
			r.Bootstrap.Logger.Error("bootstrap failed; will try again", "error", err, "in", retry)
			if latest.again == 0 || retry < latest.again {
				next = retry
			}
		} else {
			backoff = retries
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

// Ready returns nil once the last attempt did what the API server depends on to
// call this process and the webhooks. Objects that cannot be read may wait for a
// conversion, which is nowhere to be had while no replica is ready; and a root
// that is refused is no reason to take conversions away.
func (r *Runner) Ready() error {
	latest := r.latest.Load()
	if latest == nil {
		return errors.New("bootstrap has not finished yet")
	}
	return latest.err
}

// Warnings returns what failed at the last attempt though Ready does not say so.
func (r *Runner) Warnings() (warnings []string) {
	if latest := r.latest.Load(); latest != nil {
		for _, err := range latest.asides {
			warnings = append(warnings, err.Error())
		}
	}
	return warnings
}
