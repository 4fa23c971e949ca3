package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
)

// unlessInterrupted returns the error, or that the user has ended the command.
func unlessInterrupted(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return errors.New("interrupted")
	}
	return err
}

// persist looks again and again until it is done, to the end of ctx. If the API
// server was not reached then, the error says so.
func persist(ctx context.Context, look func(context.Context) (done bool, err error)) error {
	var away error
	err := wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		done, err := look(ctx)
		if ctx.Err() == nil {
			away = err
		}
		return done && err == nil, unlessPassing(err)
	})
	if _, unreached := errors.AsType[*url.Error](away); unreached && wait.Interrupted(err) {
		return away
	}
	return err
}

// unlessPassing returns an error that waiting does not help against: not that the
// API server is away for a moment, or has too much to do.
func unlessPassing(err error) error {
	status := apierrors.APIStatus(nil)
	if !errors.As(err, &status) {
		return nil // it was not reached
	}
	if code := status.Status().Code; code >= http.StatusInternalServerError || code == http.StatusTooManyRequests {
		return nil
	}
	return err
}
