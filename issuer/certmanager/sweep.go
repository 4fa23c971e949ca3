package certmanager

import (
	"context"
	"fmt"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// leftoverAge is an age that no request in use reaches:
	// more than maxTimeout, removeTimeout, and what clocks are apart.
	leftoverAge = 15 * time.Minute

	sweepInterval = 10 * time.Minute
	sweepRetry    = 10 * time.Second
)

// sweep deletes what processes have left that died, now and then until ctx
// ends.
func (i *Issuer) sweep(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		next := sweepInterval
		if err := i.sweepOnce(ctx); err != nil && ctx.Err() == nil {
			i.options.Logger.Warn("cannot look for certificate requests that were left; will try again", "error", err)
			next = sweepRetry
		}
		timer.Reset(next)
	}
}

func (i *Issuer) sweepOnce(ctx context.Context) error {
	list, err := i.requests.List(ctx, metav1.ListOptions{LabelSelector: i.meshLabels().String()})
	if err != nil {
		return i.explain(fmt.Errorf("list certificate requests: %w", err))
	}
	now := time.Now()
	for _, request := range list.Items {
		if i.left(&request, now) {
			i.options.Logger.Info("delete a certificate request that was left", "name", request.Name)
			i.remove(ctx, request.Name)
		}
	}
	return nil
}

// left reports whether no caller waits for the request any more: this process
// knows what it waits for itself, and of others' only how long they would.
func (i *Issuer) left(request *cmapi.CertificateRequest, now time.Time) bool {
	if request.Labels[holderLabel] == i.options.Holder {
		return !i.watcher.expects(request.Name)
	}
	return now.Sub(request.CreationTimestamp.Time) > leftoverAge
}
