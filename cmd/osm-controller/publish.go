package main

import (
	"context"
	"log/slog"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/osm-edge/osm/cmd/internal/component"
	"github.com/osm-edge/osm/cmd/internal/publish"
	"github.com/osm-edge/osm/injector/pipy"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/manifests"
)

// addPublishers adds what sidecars mount: the roots that they trust, and the
// scripts that they run. Scripts of other versions stay where they are, because
// pods may run them.
func (c *controller) addPublishers(o *options, client kubernetes.Interface, logger *slog.Logger) error {
	scripts := pipy.ConfigMapName()
	c.caches = newCaches(client, rotation.ConfigMapName, scripts)
	c.bundles = newPublisher(publish.Options{Name: rotation.ConfigMapName, Logger: logger}, o, client, c.caches)
	c.scripts = newPublisher(publish.Options{Name: scripts, Immutable: true, Logger: logger}, o, client, c.caches)
	c.caches.follow(rotation.ConfigMapName, c.bundles.Changed)
	c.caches.follow(scripts, c.scripts.Changed)
	return c.scripts.Set(pipy.Scripts())
}

// newPublisher publishes in the namespaces of the mesh.
func newPublisher(p publish.Options, o *options, client kubernetes.Interface, c *caches) *publish.Publisher {
	p.Client = client.CoreV1()
	p.Namespaces = c.namespaceLister()
	p.ConfigMaps = c.configMapLister(p.Name)
	p.Monitored = manifests.Monitored(o.MeshName)
	p.MeshNamespace = o.Namespace
	p.Labels = manifests.Labels(o.MeshName, component.Version())
	p.Owned = manifests.Owned(o.MeshName)
	return publish.New(p)
}

// publish runs a publisher once what is there already is known. Certificates do
// not wait for that.
func (c *controller) publish(ctx context.Context, p *publish.Publisher) error {
	if !cache.WaitForCacheSync(ctx.Done(), c.caches.configMaps[p.Name].Synced) {
		return nil // told to end
	}
	return p.Run(ctx)
}
