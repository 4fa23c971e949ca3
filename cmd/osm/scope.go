package main

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/metadata"

	"github.com/osm-edge/osm/manifests"
)

// scope is what there is beside the mesh, which bounds what is its own.
type scope struct {
	others bool // another mesh has a control plane, or objects of the mesh's kinds
	twins  bool // a mesh of the same name is in another namespace
}

func (o *uninstallOptions) scope(ctx context.Context) (scope, error) {
	where, err := o.cluster.elsewhere(ctx, o.meshName)
	if err != nil {
		return scope{}, err
	}
	others, err := o.otherMeshes(ctx, metav1.NamespaceAll)
	if err != nil {
		return scope{}, err
	}
	client, err := o.metadata()
	if err != nil {
		return scope{}, err
	}
	for _, k := range own {
		list, err := client.Resource(k.GroupVersionResource).List(ctx, metav1.ListOptions{})
		if apierrors.IsNotFound(err) || unconverted(err) {
			continue // the kind is not defined, or is looked at again once it is readable
		}
		if err != nil {
			return scope{}, fmt.Errorf("look for %ss of other meshes: %w", k.name, err)
		}
		others = others || slices.ContainsFunc(list.Items, func(object metav1.PartialObjectMetadata) bool { return object.Namespace != o.cluster.meshNamespace })
	}
	return scope{others || len(where) > 0, len(where) > 0}, nil
}

func (o *uninstallOptions) metadata() (metadata.Interface, error) {
	config, err := o.cluster.config()
	if err != nil {
		return nil, err
	}
	return metadata.NewForConfig(config)
}

// otherMeshes tells whether another mesh has a control plane in the namespace.
func (o *uninstallOptions) otherMeshes(ctx context.Context, namespace string) (bool, error) {
	client, err := o.cluster.client()
	if err != nil {
		return false, err
	}
	list, err := client.AppsV1().Deployments(namespace).List(ctx, metav1.ListOptions{LabelSelector: ofAnyMesh + "," + instanceLabel + "!=" + o.meshName})
	if err != nil {
		return false, fmt.Errorf("look for other meshes: %w", err)
	}
	return len(list.Items) > 0, nil
}

// tellOfOthers says why the definitions stay, and how another mesh comes to
// convert what this one did.
func (o *uninstallOptions) tellOfOthers(ctx context.Context, out *terminal) error {
	client, err := o.cluster.client()
	if err != nil {
		return err
	}
	list, err := client.AppsV1().Deployments(metav1.NamespaceAll).List(ctx, metav1.ListOptions{LabelSelector: ofAnyMesh + ",app=osm-bootstrap"})
	if err != nil {
		return fmt.Errorf("look for other meshes: %w", err)
	}
	for _, d := range list.Items {
		if d.Namespace != o.cluster.meshNamespace {
			out.say(beware, "the definitions stay for the mesh in namespace %s, which is to convert their objects from now on: kubectl rollout restart deployment osm-bootstrap -n %[1]s", d.Namespace)
		}
	}
	return nil
}

// othersIn names something in the namespace that is not of the mesh, and would
// be lost with the namespace.
func (o *uninstallOptions) othersIn(ctx context.Context, client metadata.Interface, namespace string) (string, error) {
	of := manifests.Owned(o.meshName)
	for _, k := range []kind{
		core("pods", "Pod"), secrets, configMaps, core("services", "Service"), core("persistentvolumeclaims", "PersistentVolumeClaim"),
		namespaced("apps", "v1", "deployments", "Deployment"), namespaced("apps", "v1", "statefulsets", "StatefulSet"),
	} {
		list, err := client.Resource(k.GroupVersionResource).Namespace(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return "", err
		}
		for _, object := range list.Items {
			switch {
			case of.Matches(labels.Set(object.Labels)), object.Name == o.rootSecret, object.Name == "kube-root-ca.crt", object.Labels["owner"] == "helm":
			default:
				return leftover{k, namespace, object.Name}.String(), nil
			}
		}
	}
	return "", nil
}
