//go:build e2e

package e2e

import (
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	attemptTimeout = 10 * time.Second
	retryEvery     = time.Second
)

// wrongAnswer is one that must never be given, so that asking again fixes nothing.
type wrongAnswer struct{ error }

// await returns once try returns nil or a wrongAnswer; when ctx ends first, with
// its last error.
func await(ctx context.Context, try func(context.Context) error) error {
	var last error
	err := wait.PollUntilContextCancel(ctx, retryEvery, true, func(ctx context.Context) (bool, error) {
		ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
		defer cancel()
		last = try(ctx)
		return last == nil || errors.As(last, &wrongAnswer{}), nil
	})
	return errors.Join(err, last)
}
