package meshconfig

import (
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/manifests/follow"
)

// Resource is that of MeshConfigs in the version that the mesh follows.
func Resource() schema.GroupVersionResource { return v1.GroupVersion.WithResource("meshconfigs") }

// object follows the one MeshConfig. It reads no type from it: an object that
// does not fit into its type could not be told from none, nor its status say so.
func (f *Follower) object() *follow.Follower[*unstructured.Unstructured] {
	client := f.options.Client
	object := follow.New[*unstructured.Unstructured](client.Resource(Resource()).Namespace(f.options.Namespace),
		follow.Options{Name: v1.MeshConfigName, Client: client, Failed: f.fail})
	object.On(f.put, func(*unstructured.Unstructured) { f.put(nil) })
	return object
}

// fail is quiet about a cluster that does not know MeshConfigs yet:
// osm-bootstrap is about to define them. It is tried again.
func (f *Follower) fail(err error) {
	if !apierrors.IsNotFound(err) {
		f.options.Logger.Warn("cannot watch the MeshConfig; will try again", "error", err)
	}
	select {
	case f.failed <- struct{}{}:
	default:
	}
}

// put is called for one change after the other, so that the
// second send finds room.
func (f *Follower) put(object *unstructured.Unstructured) {
	select {
	case <-f.latest:
	default:
	}
	f.latest <- object
}
