package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
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

// kind is one that a mesh consists of.
type kind struct {
	schema.GroupVersionResource
	name   string
	global bool // of the cluster, not of a namespace
}

func core(resource, name string) kind {
	return kind{schema.GroupVersionResource{Version: "v1", Resource: resource}, name, false}
}

func namespaced(group, version, resource, name string) kind {
	return kind{schema.GroupVersionResource{Group: group, Version: version, Resource: resource}, name, false}
}

func global(group, resource, name string) kind {
	return kind{schema.GroupVersionResource{Group: group, Version: "v1", Resource: resource}, name, true}
}

const rbac = "rbac.authorization.k8s.io"

var (
	secrets      = core("secrets", "Secret")
	configMaps   = core("configmaps", "ConfigMap")
	namespaces   = global("", "namespaces", "Namespace")
	definitions  = global("apiextensions.k8s.io", "customresourcedefinitions", "CustomResourceDefinition")
	roleBindings = namespaced(rbac, "v1", "rolebindings", "RoleBinding")

	// stages are the kinds of a control plane, in the order in which they go: a
	// webhook that answers no more would keep the rest from being deleted, and what
	// still runs needs its rights.
	stages = [][]kind{
		{
			global("admissionregistration.k8s.io", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration"),
			global("admissionregistration.k8s.io", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration"),
		},
		{
			namespaced("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler"),
			namespaced("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"),
			namespaced("apps", "v1", "deployments", "Deployment"),
		},
		{
			core("services", "Service"), namespaced("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy"),
			namespaced("monitoring.coreos.com", "v1", "podmonitors", "PodMonitor"), namespaced("monitoring.coreos.com", "v1", "prometheusrules", "PrometheusRule"),
			roleBindings, namespaced(rbac, "v1", "roles", "Role"),
			global(rbac, "clusterrolebindings", "ClusterRoleBinding"), global(rbac, "clusterroles", "ClusterRole"),
			core("serviceaccounts", "ServiceAccount"), configMaps, secrets,
		},
	}
	// own are the mesh's own kinds. Their objects count in the mesh namespace,
	// whatever made them.
	own = []kind{
		namespaced(configGroup, "v1", "meshrootcertificates", "MeshRootCertificate"),
		namespaced(configGroup, "v1", "meshconfigs", "MeshConfig"),
	}
	// knowledge is what else a mesh knows and has made.
	knowledge = []kind{namespaced("coordination.k8s.io", "v1", "leases", "Lease"), secrets, configMaps, definitions}
)

// ofTheChart are the objects of the chart among the kinds that the mesh makes
// objects of itself.
var ofTheChart = []string{"osm-preset", "osm-dashboard", "osm-vault-token"}
