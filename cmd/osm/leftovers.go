package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/metadata"

	"github.com/osm-edge/osm/manifests"
)

const (
	configGroup   = "config.openservicemesh.io"
	instanceLabel = "app.kubernetes.io/instance"

	// ofAnyMesh selects what all meshes label.
	ofAnyMesh = "app.kubernetes.io/name=openservicemesh.io"
)

// leftover is an object of a mesh.
type leftover struct {
	kind            kind
	namespace, name string
}

func (l leftover) String() string {
	if l.namespace == "" {
		return l.kind.name + " " + l.name
	}
	return l.kind.name + " " + l.namespace + "/" + l.name
}

// found is a leftover as it is in the cluster.
type found struct {
	leftover
	object *metav1.PartialObjectMetadata
}

// leftovers finds the objects of a mesh: all of it with the root deleted, and
// else its control plane.
func (o *uninstallOptions) leftovers(ctx context.Context) ([]found, error) {
	all, err := o.find(ctx, slices.Concat(stages...), chartOnly)
	if err != nil || !o.deleteCA {
		return all, err
	}
	known, err := o.find(ctx, slices.Concat(knowledge, []kind{namespaces}), everything)
	if err != nil {
		return nil, err
	}
	of, err := o.find(ctx, own, everything)
	if err != nil && !unconverted(err) {
		return nil, err
	}
	known = append(known, of...)
	for _, one := range known {
		if !slices.ContainsFunc(all, func(other found) bool { return other.leftover == one.leftover }) {
			all = append(all, one)
		}
	}
	return all, nil
}

// unconverted tells whether objects of the mesh's kinds cannot be read because
// who converts them from an older version is gone.
func unconverted(err error) bool {
	return err != nil && strings.Contains(err.Error(), "conversion webhook")
}

// extent tells what is looked for of the kinds that the mesh makes objects of
// itself.
type extent bool

const (
	chartOnly  extent = false
	everything extent = true
)

// find looks for the mesh's objects of these kinds, and for no others.
func (o *uninstallOptions) find(ctx context.Context, kinds []kind, all extent) (objects []found, err error) {
	client, err := o.metadata()
	if err != nil {
		return nil, err
	}
	beside, err := o.scope(ctx)
	if err != nil {
		return nil, err
	}
	for _, k := range kinds {
		if beside.others && k == definitions || beside.twins && k.global {
			continue
		}
		list, err := o.list(ctx, client, k)
		if err != nil {
			return nil, fmt.Errorf("look for %ss of the mesh: %w", k.name, err)
		}
		for _, object := range list {
			one := found{leftover{k, object.Namespace, object.Name}, &object}
			mine, err := o.mine(ctx, client, one, beside)
			if err != nil {
				return nil, err
			}
			if mine && (all == everything || one.ofTheChart()) {
				objects = append(objects, one)
			}
		}
	}
	return objects, nil
}

func (f found) ofTheChart() bool {
	return f.kind != configMaps && f.kind != secrets || slices.Contains(ofTheChart, f.name)
}

// list returns the objects of a kind that may be the mesh's.
func (o *uninstallOptions) list(ctx context.Context, client metadata.Interface, k kind) ([]metav1.PartialObjectMetadata, error) {
	options, namespace := metav1.ListOptions{LabelSelector: manifests.Owned(o.meshName).String()}, o.cluster.meshNamespace
	if slices.Contains(own, k) {
		options = metav1.ListOptions{}
	}
	if k.global || k == configMaps || k == roleBindings { // which a mesh has in other namespaces, too
		namespace = metav1.NamespaceAll
	}
	list, err := client.Resource(k.GroupVersionResource).Namespace(namespace).List(ctx, options)
	if apierrors.IsNotFound(err) {
		return nil, nil // the kind is not defined
	}
	if err != nil || k != secrets || !o.deleteCA {
		return items(list), err
	}
	root, err := client.Resource(k.GroupVersionResource).Namespace(o.cluster.meshNamespace).Get(ctx, o.rootSecret, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && manifests.Owned(o.meshName).Matches(labels.Set(root.Labels)) {
		return list.Items, nil
	}
	if err != nil {
		return nil, err
	}
	return append(list.Items, *root), nil
}

func items(list *metav1.PartialObjectMetadataList) []metav1.PartialObjectMetadata {
	if list == nil {
		return nil
	}
	return list.Items
}

// mine tells whether an object is this mesh's: it is in the mesh's namespace, or
// where a mesh puts objects of its kind, and no label says another mesh.
func (o *uninstallOptions) mine(ctx context.Context, client metadata.Interface, one found, beside scope) (bool, error) {
	if label := one.object.Labels[instanceLabel]; label != "" && label != o.meshName {
		return false, nil
	}
	switch {
	case one.kind == namespaces:
		if one.name != o.cluster.meshNamespace {
			return false, nil
		}
		others, err := o.othersIn(ctx, client, one.name)
		return others == "", err
	case one.kind.global, one.namespace == o.cluster.meshNamespace:
		return true, nil
	case one.kind == roleBindings:
		return one.namespace == metav1.NamespaceSystem && !beside.twins, nil
	case one.kind == configMaps:
		return !beside.twins, nil
	}
	return false, nil
}
