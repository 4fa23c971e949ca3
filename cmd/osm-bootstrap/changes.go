package main

import (
	"context"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"

	"github.com/osm-edge/osm/bootstrap"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/manifests/follow"
)

// object names one object that bootstrap sets or reads, or all of a resource.
type object struct {
	resource        schema.GroupVersionResource
	namespace, name string
}

// watched returns what bootstrap sets and others may change, and what it goes
// by: deleting the root is how an operator replaces it, and an upgrade of the
// chart may clear a caBundle.
func watched(o *options) []object {
	secrets := schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
	webhooks := schema.GroupVersion{Group: "admissionregistration.k8s.io", Version: "v1"}
	objects := []object{
		{secrets, o.Namespace, o.rootSecret},
		{webhooks.WithResource("mutatingwebhookconfigurations"), "", o.mutatingWebhook},
		{webhooks.WithResource("validatingwebhookconfigurations"), "", o.validatingWebhook},
	}
	objects = append(objects,
		object{v1.GroupVersion.WithResource("meshconfigs"), o.Namespace, v1.MeshConfigName},
		object{v1.GroupVersion.WithResource("meshrootcertificates"), o.Namespace, ""},
		object{schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, o.Namespace, rotation.ConfigMapName},
	)
	for _, name := range bootstrap.ServingSecrets() {
		objects = append(objects, object{secrets, o.Namespace, name})
	}
	return objects
}

// changes tells of changes to some objects. It reads their metadata only.
type changes struct {
	client  metadata.Interface
	objects []object
	signal  chan struct{} // one slot
}

func newChanges(client metadata.Interface, objects []object) *changes {
	return &changes{client: client, objects: objects, signal: make(chan struct{}, 1)}
}

// Run watches until ctx ends.
func (c *changes) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, o := range c.objects {
		followed := follow.New[*metav1.PartialObjectMetadata](c.client.Resource(o.resource).Namespace(o.namespace), follow.Options{Name: o.name, Client: c.client})
		followed.On(c.changed, c.changed)
		group.Go(func() error { return followed.Run(ctx) })
	}
	return group.Wait()
}

func (c *changes) changed(*metav1.PartialObjectMetadata) {
	select {
	case c.signal <- struct{}{}:
	default:
	}
}
