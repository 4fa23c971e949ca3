package trust

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	listersv1 "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/util/workqueue"

	"github.com/osm-edge/osm/issuer"
)

// PublisherOptions configures a Publisher.
type PublisherOptions struct {
	// Client writes the ConfigMaps.
	Client typedcorev1.ConfigMapsGetter
	// Namespaces and ConfigMaps are caches; ConfigMaps needs to hold those
	// named ConfigMapName only.
	Namespaces listersv1.NamespaceLister
	ConfigMaps listersv1.ConfigMapLister
	// Monitored selects the namespaces of the mesh.
	Monitored labels.Selector
	// MeshNamespace has a ConfigMap of its own: see Record.
	MeshNamespace string
	// Labels are given to the ConfigMaps.
	Labels map[string]string
	// Owned tells the mesh's ConfigMaps from somebody else's.
	Owned  labels.Selector
	Logger *slog.Logger
}

// Publisher keeps the trust bundle in every monitored namespace, where sidecars
// mount it. A namespace that has left the mesh keeps its copy up to date, for
// the sidecars that still run there.
type Publisher struct {
	PublisherOptions
	bundle atomic.Pointer[issuer.TrustBundle]
	queue  workqueue.TypedRateLimitingInterface[string]
}

// NewPublisher returns a Publisher that has nothing to publish yet: see Set.
func NewPublisher(o PublisherOptions) *Publisher {
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[string](100*time.Millisecond, time.Minute)
	return &Publisher{PublisherOptions: o, queue: workqueue.NewTypedRateLimitingQueue(limiter)}
}

// Set publishes another bundle everywhere.
func (p *Publisher) Set(bundle issuer.TrustBundle) error {
	p.bundle.Store(&bundle)
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
	for {
		namespace, shutdown := p.queue.Get()
		if shutdown {
			return nil
		}
		if err := p.publish(ctx, namespace); err != nil {
			if ctx.Err() == nil {
				p.Logger.Error("cannot publish the trust bundle; will try again", "namespace", namespace, "error", err)
			}
			p.queue.AddRateLimited(namespace)
		} else {
			p.queue.Forget(namespace)
		}
		p.queue.Done(namespace)
	}
}

func (p *Publisher) publish(ctx context.Context, namespace string) error {
	bundle := p.bundle.Load()
	if bundle == nil || namespace == p.MeshNamespace {
		return nil
	}
	ns, err := p.Namespaces.Get(namespace)
	if apierrors.IsNotFound(err) || (err == nil && ns.DeletionTimestamp != nil) {
		return nil
	}
	if err != nil {
		return err
	}
	data := map[string]string{BundleKey: string(bundle.PEM())}
	cm, err := p.ConfigMaps.ConfigMaps(namespace).Get(ConfigMapName)
	switch {
	case apierrors.IsNotFound(err) && p.Monitored.Matches(labels.Set(ns.Labels)):
		return p.create(ctx, namespace, data)
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return err
	case !p.Owned.Matches(labels.Set(cm.Labels)):
		return fmt.Errorf("configmap %s/%s is not the mesh's, its labels are not %s; to mend it, rename or delete it", namespace, ConfigMapName, p.Owned)
	case cm.Data[BundleKey] == data[BundleKey] && len(cm.Data) == 1:
		return nil
	}
	return p.update(ctx, cm, data)
}

func (p *Publisher) update(ctx context.Context, cm *corev1.ConfigMap, data map[string]string) error {
	cm = cm.DeepCopy()
	cm.Data = data
	_, err := p.Client.ConfigMaps(cm.Namespace).Update(ctx, cm, metav1.UpdateOptions{})
	switch {
	case apierrors.IsConflict(err), apierrors.IsNotFound(err):
		return nil // by another replica, or somebody else; the cache will say with what
	case err != nil:
		return fmt.Errorf("update configmap %s/%s: %w", cm.Namespace, cm.Name, err)
	}
	return nil
}

func (p *Publisher) create(ctx context.Context, namespace string, data map[string]string) error {
	_, err := p.Client.ConfigMaps(namespace).Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: ConfigMapName, Labels: p.Labels},
		Data:       data,
	}, metav1.CreateOptions{})
	switch {
	case apierrors.IsAlreadyExists(err):
		return nil // by another replica; the cache will say with what
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return nil
	case err != nil:
		return fmt.Errorf("create configmap %s/%s: %w", namespace, ConfigMapName, err)
	}
	return nil
}
