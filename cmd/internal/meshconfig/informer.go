package meshconfig

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"

	"github.com/osm-edge/osm/manifests/crd/v1"
)

// Resource is that of MeshConfigs in the version that the mesh follows.
func Resource() schema.GroupVersionResource { return v1.GroupVersion.WithResource("meshconfigs") }

// informer watches the one MeshConfig. It reads no type from it: an object that
// does not fit into its type would keep the informer from every other.
func (f *Follower) informer() (cache.SharedIndexInformer, cache.DoneChecker, error) {
	onlyThis := fields.OneTermEqualSelector(metav1.ObjectNameField, v1.MeshConfigName).String()
	informer := dynamicinformer.NewFilteredDynamicInformer(f.options.Client, Resource(), f.options.Namespace, 0, cache.Indexers{},
		func(list *metav1.ListOptions) { list.FieldSelector = onlyThis }).Informer()
	if err := informer.SetWatchErrorHandlerWithContext(f.fail); err != nil {
		return nil, nil, err
	}
	registration, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    f.observe,
		UpdateFunc: func(_, object any) { f.observe(object) },
		DeleteFunc: func(any) { f.put(nil) },
	})
	if err != nil {
		return nil, nil, err
	}
	return informer, registration.HasSyncedChecker(), nil
}

// fail is quiet about a cluster that does not know MeshConfigs yet:
// osm-bootstrap is about to define them. The informer tries again.
func (f *Follower) fail(ctx context.Context, r *cache.Reflector, err error) {
	if !apierrors.IsNotFound(err) {
		cache.DefaultWatchErrorHandler(ctx, r, err)
	}
	select {
	case f.failed <- struct{}{}:
	default:
	}
}

func (f *Follower) observe(object any) {
	if config, ok := object.(*unstructured.Unstructured); ok {
		f.put(config)
	}
}

// put is called by the informer alone, one call after the other, so that the
// second send finds room.
func (f *Follower) put(object *unstructured.Unstructured) {
	select {
	case <-f.latest:
	default:
	}
	f.latest <- object
}
