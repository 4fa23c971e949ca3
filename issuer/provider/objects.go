package provider

import (
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"github.com/osm-edge/osm/manifests/crd/v1"
)

// newInformer watches the objects, and calls changed after each change.
func newInformer(objects Objects, changed func()) (cache.SharedIndexInformer, error) {
	source := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return objects.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return objects.Watch(ctx, o)
		},
	}
	informer := cache.NewSharedIndexInformer(cache.ToListWatcherWithWatchListSemantics(source, objects), &v1.MeshRootCertificate{}, 0, cache.Indexers{})
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { changed() },
		UpdateFunc: func(any, any) { changed() },
		DeleteFunc: func(any) { changed() },
	})
	return informer, err
}

// objects returns those there are, the newest first.
func (p *Provider) objects() []*v1.MeshRootCertificate {
	var all []*v1.MeshRootCertificate
	for _, item := range p.informer.GetStore().List() {
		if object, ok := item.(*v1.MeshRootCertificate); ok {
			all = append(all, object)
		}
	}
	slices.SortFunc(all, v1.ByAge)
	return all
}
