package destination

import (
	"errors"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/client-go/tools/cache"
)

// Informers are what an Index follows. What they cache may be reduced to what
// SetPod, SetService, SetEndpointSlice and SetNode read.
type Informers struct {
	// Pods has the pods that have a sidecar, and no others.
	Pods           cache.SharedIndexInformer
	Services       cache.SharedIndexInformer
	EndpointSlices cache.SharedIndexInformer
	// Nodes tell the ranges of their pods' addresses.
	Nodes cache.SharedIndexInformer
}

// Follow has the Index follow the informers. What is returned reports whether
// it knows what they began with.
func (x *Index) Follow(i Informers) (synced func() bool, err error) {
	pods, err1 := i.Pods.AddEventHandler(podHandler{handler[*corev1.Pod]{x.SetPod, x.DeletePod}, x})
	services, err2 := i.Services.AddEventHandler(handler[*corev1.Service]{x.SetService, x.DeleteService})
	endpoints, err3 := i.EndpointSlices.AddEventHandler(handler[*discoveryv1.EndpointSlice]{x.SetEndpointSlice, x.DeleteEndpointSlice})
	nodes, err4 := i.Nodes.AddEventHandler(handler[*corev1.Node]{x.SetNode, x.DeleteNode})
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, err
	}
	return func() bool {
		return pods.HasSynced() && services.HasSynced() && endpoints.HasSynced() && nodes.HasSynced()
	}, nil
}

// podHandler tells pods that were there at first from those that came after.
type podHandler struct {
	handler[*corev1.Pod]
	index *Index
}

// OnAdd implements cache.ResourceEventHandler.
func (h podHandler) OnAdd(object any, initial bool) {
	if p, ok := object.(*corev1.Pod); ok {
		h.index.takePod(p, initial)
	}
}

type handler[T any] struct{ set, remove func(T) }

// OnAdd implements cache.ResourceEventHandler.
func (h handler[T]) OnAdd(object any, _ bool) { h.OnUpdate(nil, object) }

// OnUpdate implements cache.ResourceEventHandler.
func (h handler[T]) OnUpdate(_, object any) {
	if o, ok := object.(T); ok {
		h.set(o)
	}
}

// OnDelete implements cache.ResourceEventHandler.
func (h handler[T]) OnDelete(object any) {
	if tombstone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = tombstone.Obj
	}
	if o, ok := object.(T); ok {
		h.remove(o)
	}
}
