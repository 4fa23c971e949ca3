package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/manifests"
)

// keeper is a tool that brings back what is changed or deleted behind its back.
type keeper struct {
	name      string // with that of its own object, such as "Argo CD's Application shop"
	upgrade   string // what to do there
	uninstall string
}

// toolMarks are the labels and annotations by which tools find their objects, each
// with what the tool calls the object of its own that the value names.
var toolMarks = []struct{ key, name string }{
	{"argocd.argoproj.io/tracking-id", "Argo CD's Application"},
	{"argocd.argoproj.io/instance", "Argo CD's Application"},
	{"helm.toolkit.fluxcd.io/name", "Flux' HelmRelease"},
	{"kustomize.toolkit.fluxcd.io/name", "Flux' Kustomization"},
	{"objectset.rio.cattle.io/id", "Fleet's bundle"},
	{"kapp.k14s.io/app", "kapp's app"},
	{"configsync.gke.io/resource-id", "Config Sync, as"},
	{"applyset.kubernetes.io/part-of", "kubectl's ApplySet"},
}

// fieldManagers are those of tools that may leave no other mark.
var fieldManagers = map[string]string{
	"argocd-controller": "Argo CD", "argocd-application-controller": "Argo CD",
	"kustomize-controller": "Flux", "helm-controller": "Flux",
	"pulumi-kubernetes": "Pulumi", "Terraform": "Terraform",
}

// keeperOf tells which tool an object is of; releases are looked at elsewhere.
func keeperOf(o metav1.Object) *keeper {
	for _, mark := range toolMarks {
		value := o.GetAnnotations()[mark.key]
		if value == "" {
			value = o.GetLabels()[mark.key]
		}
		if value != "" {
			value, _, _ = strings.Cut(value, ":")
			return newKeeper(mark.name + " " + value)
		}
	}
	if by := o.GetLabels()[managedByLabel]; by != "" && by != managedByHelm {
		return newKeeper(by)
	}
	if owner := metav1.GetControllerOf(o); owner != nil {
		return newKeeper(owner.Kind + " " + owner.Name)
	}
	for _, entry := range o.GetManagedFields() {
		if tool := fieldManagers[entry.Manager]; tool != "" {
			return newKeeper(tool)
		}
	}
	return nil
}

func newKeeper(name string) *keeper {
	return &keeper{name, "change its version or values there", "delete it there"}
}

// keeper tells which tool an object is of, a Helm release of another name among
// them if there is one: its objects may outlive it.
func (c *cluster) keeper(ctx context.Context, o metav1.Object, mesh string) (*keeper, error) {
	if tool := keeperOf(o); tool != nil {
		return tool, nil
	}
	release, namespace := o.GetAnnotations()[releaseNameAnnotation], o.GetAnnotations()[releaseNamespaceAnnotation]
	if release == "" || namespace == "" || release == mesh && namespace == c.meshNamespace {
		return nil, nil
	}
	there, err := c.hasRelease(ctx, release, namespace)
	if err != nil || !there {
		return nil, err
	}
	return &keeper{
		fmt.Sprintf("Helm release %s in namespace %s", release, namespace),
		fmt.Sprintf("helm upgrade %s -n %s, with its chart", release, namespace),
		fmt.Sprintf("helm uninstall %s -n %s", release, namespace),
	}, nil
}

// hasRelease looks for the Secrets or ConfigMaps that Helm keeps a release in.
func (c *cluster) hasRelease(ctx context.Context, release, namespace string) (bool, error) {
	client, err := c.client()
	if err != nil {
		return false, err
	}
	of := metav1.ListOptions{LabelSelector: "owner=helm,name=" + release, Limit: 1}
	secrets, err := client.CoreV1().Secrets(namespace).List(ctx, of)
	if err != nil {
		return false, fmt.Errorf("look for Helm release %s: %w", release, err)
	}
	configs, err := client.CoreV1().ConfigMaps(namespace).List(ctx, of)
	if err != nil {
		return false, fmt.Errorf("look for Helm release %s: %w", release, err)
	}
	return len(secrets.Items)+len(configs.Items) > 0, nil
}

// controlPlane returns the Deployments of a mesh in its namespace. They say the
// mesh's name themselves: Argo CD may use the label for the name of its own.
func (c *cluster) controlPlane(ctx context.Context, mesh string) ([]appsv1.Deployment, error) {
	all, err := c.controlPlanes(ctx)
	return slices.DeleteFunc(all, func(d appsv1.Deployment) bool { return meshOf(d) != mesh }), err
}

// otherMesh names a mesh of another name that has its control plane in the
// namespace, if there is one.
func (c *cluster) otherMesh(ctx context.Context, mesh string) (string, error) {
	all, err := c.controlPlanes(ctx)
	for _, d := range all {
		if other := meshOf(d); other != "" && other != mesh {
			return other, nil
		}
	}
	return "", err
}

func (c *cluster) controlPlanes(ctx context.Context) ([]appsv1.Deployment, error) {
	client, err := c.client()
	if err != nil {
		return nil, err
	}
	list, err := client.AppsV1().Deployments(c.meshNamespace).List(ctx, metav1.ListOptions{LabelSelector: ofAnyMesh})
	if err != nil {
		return nil, fmt.Errorf("look for the mesh in namespace %s: %w", c.meshNamespace, err)
	}
	return list.Items, nil
}

// meshOf returns the name of the mesh that a Deployment says it is of.
func meshOf(d appsv1.Deployment) string {
	for _, container := range d.Spec.Template.Spec.Containers {
		for _, arg := range container.Args {
			if name, is := strings.CutPrefix(arg, "--mesh-name="); is {
				return name
			}
		}
	}
	return ""
}

// meshKeeper tells which tool manages the control plane, if any does.
func (c *cluster) meshKeeper(ctx context.Context, mesh string, deployments []appsv1.Deployment) (*keeper, error) {
	for _, d := range deployments {
		tool, err := c.keeper(ctx, &d, mesh)
		if tool != nil || err != nil {
			return tool, err
		}
		if tool := relabelled(&d, mesh); tool != nil {
			return tool, nil
		}
	}
	return nil, nil
}

// relabelled tells which tool uses the label of the mesh's name for its own. A
// label that is missing was removed by hand.
func relabelled(o metav1.Object, mesh string) *keeper {
	label := o.GetLabels()[instanceLabel]
	if label == "" || label == mesh {
		return nil
	}
	return newKeeper(fmt.Sprintf("what set the label %s=%s, as Argo CD's Application %[2]s does", instanceLabel, label))
}

// elsewhere names the namespaces that a mesh of this name is in, but for its own.
func (c *cluster) elsewhere(ctx context.Context, mesh string) ([]string, error) {
	client, err := c.client()
	if err != nil {
		return nil, err
	}
	list, err := client.AppsV1().Deployments(metav1.NamespaceAll).List(ctx, metav1.ListOptions{LabelSelector: manifests.Owned(mesh).String()})
	if err != nil {
		return nil, fmt.Errorf("look for mesh %s: %w", mesh, err)
	}
	var where []string
	for _, d := range list.Items {
		if d.Namespace != c.meshNamespace && !slices.Contains(where, d.Namespace) {
			where = append(where, d.Namespace)
		}
	}
	return where, nil
}

// mayUpgrade says at once what a release of this name is not there for, or what
// would undo its upgrade.
func (o *installOptions) mayUpgrade(ctx context.Context, released bool) error {
	deployments, err := o.cluster.controlPlane(ctx, o.meshName)
	if err != nil {
		return err
	}
	tool, err := o.cluster.meshKeeper(ctx, o.meshName, deployments)
	if err != nil {
		return err
	}
	where, err := o.cluster.elsewhere(ctx, o.meshName)
	switch {
	case err != nil:
		return err
	case tool != nil:
		return fmt.Errorf("mesh %s in namespace %s is managed by %s: %s", o.meshName, o.cluster.meshNamespace, tool.name, tool.upgrade)
	case released:
		return nil
	case len(deployments) > 0:
		return fmt.Errorf("mesh %s in namespace %s has no Helm release: its chart was rendered and applied, as by helm template and kubectl apply\napply the chart of this version in the same way; or have osm manage the mesh: %s --yes, which keeps its root, and %s", o.meshName, o.cluster.meshNamespace, o.cluster.command(o.meshName, "uninstall mesh"), o.cluster.command(o.meshName, "install"))
	case len(where) > 0:
		return fmt.Errorf("mesh %s is in namespace %s: name it with --osm-namespace", o.meshName, strings.Join(where, ", "))
	}
	return fmt.Errorf("there is no mesh %s in namespace %s: osm install makes one, and --mesh-name and --osm-namespace name another", o.meshName, o.cluster.meshNamespace)
}
