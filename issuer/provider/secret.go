package provider

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	corev1informers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/tools/cache"
)

// again is how often a Secret is looked at that has not changed: a root in it
// may begin or end.
const again = time.Minute

// followSecret calls use with a Secret of the mesh namespace whenever it may
// have changed, until ctx ends: with nil where there is none, or with what keeps
// it from being read at first.
func (p *Provider) followSecret(ctx context.Context, name string, use func(*corev1.Secret, error)) {
	onlyThis := fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
	informer := corev1informers.NewFilteredSecretInformer(p.options.Client, p.options.Namespace, again, cache.Indexers{},
		func(list *metav1.ListOptions) { list.FieldSelector = onlyThis })
	changed, failed := make(chan struct{}, 1), make(chan error, 1)
	if err := observe(informer, changed, failed); err != nil {
		use(nil, err)
		return
	}
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		informer.RunWithContext(ctx)
	}()
	synced := informer.HasSyncedChecker().Done()
	for ctx.Err() == nil {
		select {
		case <-synced:
			synced = nil
			use(p.stored(informer, name))
		case <-changed:
			use(p.stored(informer, name))
		case err := <-failed:
			if !informer.HasSynced() {
				use(nil, err)
			}
		case <-ctx.Done():
		}
	}
	<-watched
}

// observe fills the two slots.
func observe(informer cache.SharedIndexInformer, changed chan<- struct{}, failed chan<- error) error {
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { wake(changed) },
		UpdateFunc: func(any, any) { wake(changed) },
		DeleteFunc: func(any) { wake(changed) },
	})
	if err != nil {
		return err
	}
	return informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) {
		select {
		case failed <- err:
		default:
		}
	})
}

func (p *Provider) stored(informer cache.SharedIndexInformer, name string) (*corev1.Secret, error) {
	item, exists, err := informer.GetStore().GetByKey(p.options.Namespace + "/" + name)
	if err != nil || !exists {
		return nil, err
	}
	secret, ok := item.(*corev1.Secret)
	if !ok {
		return nil, fmt.Errorf("a %T where a Secret belongs", item)
	}
	return secret, nil
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
