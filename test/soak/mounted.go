package main

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/test/mesh"
)

// bundles follows the osm-trust-bundle ConfigMaps of all namespaces. It shows
// pods what is mounted into them, as late as a kubelet does, and tells of each
// step of the mesh's record.
type bundles struct {
	factory informers.SharedInformerFactory
	// step is called when the record has changed.
	step func()

	mu       sync.Mutex
	versions map[string][]version // by namespace, the oldest first
}

type version struct {
	seen time.Time
	data map[string]string
}

func newBundles(client kubernetes.Interface, step func()) (*bundles, error) {
	b := &bundles{step: step, versions: map[string][]version{}}
	b.factory = informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTweakListOptions(func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, rotation.ConfigMapName).String()
	}))
	_, err := b.factory.Core().V1().ConfigMaps().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { b.take(o.(*corev1.ConfigMap)) },
		UpdateFunc: func(_, o any) { b.take(o.(*corev1.ConfigMap)) },
	})
	return b, err
}

// Run follows until ctx ends.
func (b *bundles) Run(ctx context.Context) error {
	b.factory.StartWithContext(ctx)
	<-ctx.Done()
	b.factory.Shutdown()
	return nil
}

func (b *bundles) take(cm *corev1.ConfigMap) {
	b.mu.Lock()
	known := b.versions[cm.Namespace]
	changed := len(known) == 0 || !maps.Equal(known[len(known)-1].data, cm.Data)
	if changed {
		b.versions[cm.Namespace] = append(known, version{time.Now(), cm.Data})
	}
	b.mu.Unlock()
	if changed && cm.Namespace == mesh.Namespace {
		b.step()
	}
}

// mounted returns the roots that a pod of the namespace has in its volume: those
// of when it was started, and newer ones after the delay.
func (b *bundles) mounted(namespace string, started time.Time, delay time.Duration) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	until := time.Now().Add(-delay)
	if until.Before(started) {
		until = started
	}
	found := ""
	for _, v := range b.versions[namespace] {
		if found == "" || !v.seen.After(until) {
			found = v.data[rotation.BundleKey]
		}
	}
	if found == "" {
		return nil, fmt.Errorf("namespace %s has no trust bundle", namespace)
	}
	return []byte(found), nil
}

// recorded returns the roots that were recorded by the mesh at a time.
func (b *bundles) recorded(at time.Time) (trustbundle.TrustBundle, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var before version
	for _, v := range b.versions[mesh.Namespace] {
		if v.seen.Before(at) {
			before = v
		}
	}
	return trustbundle.Parse([]byte(before.data[rotation.BundleKey]))
}
