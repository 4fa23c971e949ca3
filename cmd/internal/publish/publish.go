// Package publish keeps one ConfigMap the same in every monitored namespace,
// where pods mount it. Which ConfigMap that is, and what its content means, is
// not its business.
package publish

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	listersv1 "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/util/workqueue"
)

// Options configures a Publisher.
type Options struct {
	// Name of the ConfigMap, in every namespace.
	Name string
	// Immutable is set when the name stands for the content, such as one that
	// ends in its hash: other content then comes under another name, and what is
	// published under this one is never changed.
	Immutable bool
	// Client writes the ConfigMaps.
	Client typedcorev1.ConfigMapsGetter
	// Namespaces and ConfigMaps are caches; ConfigMaps needs to hold those of
	// that name only.
	Namespaces listersv1.NamespaceLister
	ConfigMaps listersv1.ConfigMapLister
	// Monitored selects the namespaces of the mesh.
	Monitored labels.Selector
	// MeshNamespace is left alone.
	MeshNamespace string
	// Labels are given to the ConfigMaps.
	Labels map[string]string
	// Owned tells the mesh's ConfigMaps from others.
	Owned  labels.Selector
	Logger *slog.Logger
}

// Publisher keeps a ConfigMap in every monitored namespace. A namespace that has
// left the mesh keeps its copy up to date, for the sidecars that still run there.
type Publisher struct {
	Options
	data    atomic.Pointer[map[string]string]
	failing atomic.Int64 // namespaces
	queue   workqueue.TypedRateLimitingInterface[string]
}

// New returns a Publisher that has nothing to publish yet: see Set.
func New(o Options) *Publisher {
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[string](100*time.Millisecond, time.Minute)
	return &Publisher{Options: o, queue: workqueue.NewTypedRateLimitingQueue(limiter)}
}

// Set publishes the data everywhere.
func (p *Publisher) Set(data map[string]string) error {
	data = maps.Clone(data)
	p.data.Store(&data)
	namespaces, err := p.Namespaces.List(labels.Everything())
	if err != nil {
		return err
	}
	for _, ns := range namespaces {
		p.queue.Add(ns.Name)
	}
	return nil
}

// Changed says that a namespace, or its ConfigMap, was created or changed.
func (p *Publisher) Changed(namespace string) { p.queue.Add(namespace) }

// Run publishes until ctx ends.
func (p *Publisher) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, p.queue.ShutDown)
	defer stop()
	failing := map[string]bool{}
	for {
		namespace, shutdown := p.queue.Get()
		if shutdown {
			return nil
		}
		if err := p.publish(ctx, namespace); err != nil {
			if ctx.Err() == nil {
				p.Logger.Error("cannot publish a configmap; will try again", "namespace", namespace, "configmap", p.Name, "error", err)
			}
			failing[namespace] = true
			p.queue.AddRateLimited(namespace)
		} else {
			delete(failing, namespace)
			p.queue.Forget(namespace)
		}
		p.failing.Store(int64(len(failing)))
		p.queue.Done(namespace)
	}
}

func (p *Publisher) publish(ctx context.Context, namespace string) error {
	data := p.data.Load()
	if data == nil || namespace == p.MeshNamespace {
		return nil
	}
	ns, err := p.Namespaces.Get(namespace)
	if apierrors.IsNotFound(err) || (err == nil && ns.DeletionTimestamp != nil) {
		return nil
	}
	if err != nil {
		return err
	}
	cm, err := p.ConfigMaps.ConfigMaps(namespace).Get(p.Name)
	switch {
	case apierrors.IsNotFound(err) && p.Monitored.Matches(labels.Set(ns.Labels)):
		return p.create(ctx, namespace, *data)
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return err
	}
	return p.repair(ctx, cm, *data)
}

// repair has a ConfigMap that is there hold the data. One that was made immutable
// cannot be changed, nor can that be undone (KEP-1412): it is replaced, and at once
// where its content is to change some day, for a kubelet stops watching it.
func (p *Publisher) repair(ctx context.Context, cm *corev1.ConfigMap, data map[string]string) error {
	sealed := cm.Immutable != nil && *cm.Immutable
	same := maps.Equal(cm.Data, data) && len(cm.BinaryData) == 0
	switch {
	case !p.Owned.Matches(labels.Set(cm.Labels)):
		return fmt.Errorf("configmap %s/%s is not the mesh's, its labels are not %s; to fix it, rename or delete it", cm.Namespace, cm.Name, p.Owned)
	case same && sealed == p.Immutable:
		return nil
	case sealed:
		return p.replace(ctx, cm, data)
	}
	return p.update(ctx, cm, data)
}
