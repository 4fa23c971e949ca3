package main

import (
	"context"
	"errors"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// unlessInterrupted returns the error, or that the user has ended the command.
func unlessInterrupted(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return errors.New("interrupted")
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
