package main

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"

	"github.com/osm-edge/osm/manifests"
)

// leftover is an object that a mesh made and its chart does not hold.
type leftover struct {
	resource        schema.GroupVersionResource
	namespace, name string
}

func (l leftover) String() string {
	if l.namespace == "" {
		return l.resource.Resource + " " + l.name
	}
	return l.resource.Resource + " " + l.namespace + "/" + l.name
}

const configGroup = "config.openservicemesh.io"

func core(resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Version: "v1", Resource: resource}
}

func definitions() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
}

// made are those that a mesh labels as its own, by where they are looked for.
func made(meshNamespace string) []leftover {
	return []leftover{
		{schema.GroupVersionResource{Group: configGroup, Version: "v1", Resource: "meshrootcertificates"}, meshNamespace, ""},
		{schema.GroupVersionResource{Group: configGroup, Version: "v1", Resource: "meshconfigs"}, meshNamespace, ""},
		{schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}, meshNamespace, ""},
		{core("secrets"), meshNamespace, ""},
		{core("configmaps"), "", ""},
		{definitions(), "", ""},
		{core("namespaces"), "", ""},
	}
}

// leftovers finds what there is of a mesh beside its release. Those of the
// mesh's own kinds count whoever made them, and so does the Secret of the root.
func (o *uninstallOptions) leftovers(ctx context.Context) ([]leftover, error) {
	config, err := o.cluster.config()
	if err != nil {
		return nil, err
	}
	client, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	shared, err := o.otherMeshes(ctx, metav1.NamespaceAll)
	if err != nil {
		return nil, err
	}
	var found []leftover
	for _, where := range made(o.cluster.meshNamespace) {
		if shared && where.resource == definitions() {
			continue // another mesh needs them
		}
		options := metav1.ListOptions{}
		if where.resource.Group != configGroup {
			options.LabelSelector = manifests.Owned(o.meshName).String()
		}
		list, err := client.Resource(where.resource).Namespace(where.namespace).List(ctx, options)
		if apierrors.IsNotFound(err) {
			continue // the kind is not defined
		}
		if err != nil {
			return nil, fmt.Errorf("look for %s of the mesh: %w", where.resource.Resource, err)
		}
		for _, object := range list.Items {
			one := leftover{where.resource, object.Namespace, object.Name}
			if one.resource == core("namespaces") {
				if others, err := o.othersIn(ctx, client, one.name); err != nil || others != "" {
					continue
				}
			}
			found = append(found, one)
		}
	}
	root := leftover{core("secrets"), o.cluster.meshNamespace, o.rootSecret}
	_, err = client.Resource(root.resource).Namespace(root.namespace).Get(ctx, root.name, metav1.GetOptions{})
	if err == nil && !slices.Contains(found, root) {
		found = append([]leftover{root}, found...)
	}
	if apierrors.IsNotFound(err) {
		err = nil
	}
	return found, err
}

// otherMeshes tells whether another mesh has a control plane in the namespace.
func (o *uninstallOptions) otherMeshes(ctx context.Context, namespace string) (bool, error) {
	client, err := o.cluster.client()
	if err != nil {
		return false, err
	}
	list, err := client.AppsV1().Deployments(namespace).List(ctx, metav1.ListOptions{
		LabelSelector: "app.kubernetes.io/name=openservicemesh.io,app.kubernetes.io/instance!=" + o.meshName,
	})
	if err != nil {
		return false, fmt.Errorf("look for other meshes: %w", err)
	}
	return len(list.Items) > 0, nil
}

// othersIn names something in the namespace that is not of the mesh, and would
// be lost with the namespace.
func (o *uninstallOptions) othersIn(ctx context.Context, client metadata.Interface, namespace string) (string, error) {
	of := manifests.Owned(o.meshName)
	for _, resource := range []schema.GroupVersionResource{
		core("pods"), core("secrets"), core("configmaps"), core("services"), core("persistentvolumeclaims"),
		{Group: "apps", Version: "v1", Resource: "deployments"}, {Group: "apps", Version: "v1", Resource: "statefulsets"},
	} {
		list, err := client.Resource(resource).Namespace(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return "", err
		}
		for _, object := range list.Items {
			switch {
			case of.Matches(labels.Set(object.Labels)), object.Name == o.rootSecret, object.Name == "kube-root-ca.crt", object.Labels["owner"] == "helm":
			default:
				return leftover{resource, namespace, object.Name}.String(), nil
			}
		}
	}
	return "", nil
}

// delete deletes what was left.
func (o *uninstallOptions) delete(ctx context.Context, all []leftover) error {
	config, err := o.cluster.config()
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	for _, one := range all {
		if one.resource == definitions() {
			if err := endConversion(ctx, client, one.name); err != nil {
				return err
			}
		}
		err := client.Resource(one.resource).Namespace(one.namespace).Delete(ctx, one.name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete %s: %w", one, err)
		}
	}
	return nil
}

// endConversion has a definition convert nothing, for who converted is gone, and
// the API server reads all objects of the kind before it deletes it.
func endConversion(ctx context.Context, client dynamic.Interface, name string) error {
	patch := []byte(`{"spec":{"conversion":{"strategy":"None","webhook":null}}}`)
	_, err := client.Resource(definitions()).Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("end the conversion of %s: %w", name, err)
	}
	return nil
}
