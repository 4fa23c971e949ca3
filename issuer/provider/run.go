package provider

import (
	"context"
	"math"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/cache"
)

const (
	// resync looks again at what is trusted, since replaced roots retire.
	resync = time.Hour

	firstRetry = 500 * time.Millisecond
	lastRetry  = time.Minute
)

// retries are the pauses after failures that follow each other.
func retries() wait.Backoff {
	return wait.Backoff{Duration: firstRetry, Factor: 2, Cap: lastRetry, Steps: math.MaxInt32}
}

// Run follows the MeshRootCertificates until ctx ends.
func (p *Provider) Run(ctx context.Context) error {
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		_ = p.followed.Run(ctx) // never fails
	}()
	if cache.WaitForCacheSync(ctx.Done(), p.followed.Synced) {
		p.follow(ctx)
	}
	for _, a := range p.authorities {
		a.close()
	}
	if p.signer != nil {
		p.signer.authority.close()
	}
	<-watched
	return nil
}

func (p *Provider) follow(ctx context.Context) {
	retry, timer := retries(), time.NewTimer(resync)
	defer timer.Stop()
	p.Look()
	for {
		select {
		case <-p.changed:
		case <-timer.C:
			p.applied = applied{}
			clear(p.written)
		case <-ctx.Done():
			return
		}
		err := p.reconcile(ctx)
		if ctx.Err() != nil {
			return
		}
		timer.Reset(resync)
		if err == nil {
			retry = retries()
			if p.plan.Lags() {
				timer.Reset(lastRetry) // the former may not sign for ever
			}
			continue
		}
		p.options.Logger.Error("cannot follow the MeshRootCertificates; will try again", "error", err)
		timer.Reset(retry.Step())
	}
}
