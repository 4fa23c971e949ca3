package main

import (
	"log/slog"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// forbidden knows of objects whether they may not be read: that is no reason to
// inject nothing.
type forbidden struct {
	what   string
	logger *slog.Logger
	known  atomic.Bool
}

// failed is told why they cannot be followed.
func (f *forbidden) failed(err error) {
	switch {
	case !apierrors.IsForbidden(err):
		f.logger.Warn("cannot watch objects; will try again", "what", f.what, "error", err)
	case !f.known.Swap(true):
		f.logger.Warn("no right to read "+f.what, "error", err)
	}
}

func (f *forbidden) is() bool { return f.known.Load() }
