package main

import (
	"context"
	"errors"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// errInterrupted is what ends a command that its user ends.
var errInterrupted = errors.New("interrupted; the command can be repeated")

// interrupted tells whether the user ended it, and not its timeout.
func interrupted(ctx context.Context) bool { return errors.Is(ctx.Err(), context.Canceled) }

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
