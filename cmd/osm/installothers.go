package main

import (
	"context"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/metadata"

	"github.com/osm-edge/osm/manifests"
)

// others looks for a mesh of the same name, here or elsewhere, and for control
// planes that were not installed as a release.
func (p *preflight) others(ctx context.Context) error {
	last, err := p.release.last()
	if err != nil {
		return err
	}
	again, err := p.release.replaceable(last)
	switch {
	case err != nil:
		return err
	case again:
		p.out.say(beware, "the last installation of mesh %s is %s, and is repeated", p.mesh, last.Info.Status)
		return p.leftBehind(ctx)
	case last != nil && last.Info.Status.IsPending():
		p.refuse("wait until it has come to its end; if what began it was killed, "+p.cluster.command(p.mesh, "uninstall mesh")+", which keeps the root, and install it again",
			"mesh %s in namespace %s is being installed or changed: its release is %s since %s", p.mesh, p.cluster.meshNamespace, last.Info.Status, last.Info.LastDeployed.Format(time.RFC3339))
		return nil
	case last != nil:
		p.refuse(p.cluster.command(p.mesh, "upgrade")+", or install it again after "+p.cluster.command(p.mesh, "uninstall mesh"),
			"mesh %s is installed in namespace %s: its release is %s", p.mesh, p.cluster.meshNamespace, last.Info.Status)
		return nil
	}
	deployments, err := p.cluster.controlPlane(ctx, p.mesh)
	if err != nil {
		return err
	}
	tool, err := p.cluster.meshKeeper(ctx, p.mesh, deployments)
	if err != nil {
		return err
	}
	second, err := p.cluster.otherMesh(ctx, p.mesh)
	if err != nil {
		return err
	}
	where, err := p.cluster.elsewhere(ctx, p.mesh)
	switch {
	case err != nil:
		return err
	case tool != nil:
		p.refuse(tool.upgrade, "mesh %s is in namespace %s, managed by %s", p.mesh, p.cluster.meshNamespace, tool.name)
	case len(deployments) > 0:
		p.refuse("install it again after "+p.cluster.command(p.mesh, "uninstall mesh")+", which keeps its root",
			"mesh %s is in namespace %s, without a Helm release", p.mesh, p.cluster.meshNamespace)
	case second != "":
		p.refuse("choose another namespace with --osm-namespace, or "+p.cluster.command(second, "uninstall mesh"),
			"namespace %s has mesh %s, and is for one", p.cluster.meshNamespace, second)
	case len(where) > 0:
		commands := make([]string, len(where))
		for i, namespace := range where {
			commands[i] = (&cluster{meshNamespace: namespace}).command(p.mesh, "uninstall mesh")
		}
		p.refuse("choose another name with --mesh-name, or "+strings.Join(commands, ", "),
			"a mesh of the name %s is in namespace %s", p.mesh, strings.Join(where, ", "))
	default:
		return p.leftBehind(ctx)
	}
	return nil
}

// leftBehind looks at what is in the place of the chart's objects: the mesh's own
// is taken over, as what is left where its namespace was deleted, and no other.
func (p *preflight) leftBehind(ctx context.Context) error {
	config, err := p.cluster.config()
	if err != nil {
		return err
	}
	client, err := metadata.NewForConfig(config)
	if err != nil {
		return err
	}
	mapper, err := p.cluster.flags.ToRESTMapper()
	if err != nil {
		return err
	}
	taken := 0
	for _, object := range p.objects {
		mapping, err := mapper.RESTMapping(object.GroupVersionKind().GroupKind(), object.GroupVersionKind().Version)
		if meta.IsNoMatchError(err) {
			p.refuse("install what defines it, or "+doWithout(object.GetKind()), "%s %s cannot be made: the cluster does not know the kind", object.GetKind(), object.GetName())
			continue
		}
		if err != nil {
			return err
		}
		there, err := client.Resource(mapping.Resource).Namespace(object.GetNamespace()).Get(ctx, object.GetName(), metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return err
		}
		one := leftover{kind{mapping.Resource, object.GetKind(), false}, there.Namespace, there.Name}
		if there.DeletionTimestamp != nil {
			p.refuse("it "+waitsForFinalizers(mapping.Resource, there), "%s is being deleted", one)
			continue
		}
		if object.GetKind() == definitions.name {
			continue // they are shared, and osm-bootstrap brings them up to date
		}
		tool, err := p.cluster.keeper(ctx, there, p.mesh)
		switch {
		case err != nil:
			return err
		case tool != nil:
			p.refuse(tool.uninstall+", or "+chooseAnother(there), "%s is there, managed by %s", one, tool.name)
		case p.ownedByRelease(there), manifests.Owned(p.mesh).Matches(labels.Set(there.Labels)):
			taken++
		default:
			p.refuse(chooseAnother(there)+", or kubectl delete "+strings.ToLower(object.GetKind())+" "+there.Name+inNamespace(there.Namespace),
				"%s is there, and does not belong to mesh %s", one, p.mesh)
		}
	}
	if taken > 0 {
		p.out.say(beware, "%s of an earlier mesh %s is taken over", countOf(taken, "object"), p.mesh)
		return nil
	}
	p.out.say(done, "no other mesh is named %s", p.mesh)
	return nil
}

// extras are the values that have the chart make objects of kinds that are not
// Kubernetes' own.
var extras = map[string]string{"PodMonitor": "osm.monitoring.podMonitor", "PrometheusRule": "osm.monitoring.rules"}

// doWithout says how the chart makes no object of a kind.
func doWithout(kind string) string {
	if value := extras[kind]; value != "" {
		return "--set " + value + "=false"
	}
	return "do without it"
}

// chooseAnother says what has the chart's object be another: what is in a
// namespace has the same name in all meshes.
func chooseAnother(o metav1.Object) string {
	if o.GetNamespace() != "" {
		return "choose another namespace with --osm-namespace"
	}
	return "choose another name with --mesh-name"
}

// ownedByRelease tells whether Helm lets this release have the object.
func (p *preflight) ownedByRelease(o metav1.Object) bool {
	return o.GetAnnotations()[releaseNameAnnotation] == p.mesh && o.GetAnnotations()[releaseNamespaceAnnotation] == p.cluster.meshNamespace
}
