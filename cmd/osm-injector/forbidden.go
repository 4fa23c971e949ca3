package main

import (
	"context"
	"log/slog"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/cache"
)

// syncedOrForbidden reports whether what is cached is there, or may not be read:
// that is no reason to inject nothing.
func syncedOrForbidden(informer cache.SharedIndexInformer, what string, logger *slog.Logger) (cache.InformerSynced, error) {
	var forbidden atomic.Bool
	err := informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, _ *cache.Reflector, err error) {
		if apierrors.IsForbidden(err) && !forbidden.Swap(true) {
			logger.WarnContext(ctx, "no right to read "+what, "error", err)
		}
	})
	return func() bool { return informer.HasSynced() || forbidden.Load() }, err
}
