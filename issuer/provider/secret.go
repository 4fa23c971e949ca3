package provider

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/manifests/follow"
)

// again is how often a Secret is looked at that has not changed: a root in it
// may begin or end.
const again = time.Minute

// followSecret calls use with a Secret of the mesh namespace whenever it may
// have changed, until ctx ends: with nil where there is none, or with what keeps
// it from being read at first.
func (p *Provider) followSecret(ctx context.Context, name string, use func(*corev1.Secret, error)) {
	changed, failed := make(chan struct{}, 1), make(chan error, 1)
	secrets := follow.New[*corev1.Secret](p.options.Client.CoreV1().Secrets(p.options.Namespace), follow.Options{
		Name: name, Resync: again, Client: p.options.Client, Logger: p.options.Logger,
		Failed: func(err error) {
			select {
			case failed <- err:
			default:
			}
		},
	})
	look := func(*corev1.Secret) { wake(changed) }
	secrets.On(look, look)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		_ = secrets.Run(ctx) // never fails
	}()
	synced := secrets.Done()
	for ctx.Err() == nil {
		select {
		case <-synced:
			synced = nil
		case <-changed:
		case err := <-failed:
			if !secrets.Synced() {
				use(nil, err)
			}
			continue
		case <-ctx.Done():
			continue
		}
		secret, _ := secrets.Get(p.options.Namespace, name)
		use(secret, nil)
	}
	<-watched
}

// wake fills a slot.
func wake(slot chan<- struct{}) {
	select {
	case slot <- struct{}{}:
	default:
	}
}

// filled waits until a slot is filled. It returns false when ctx ends.
func filled(ctx context.Context, slot <-chan struct{}) bool {
	select {
	case <-slot:
		return true
	case <-ctx.Done():
		return false
	}
}
