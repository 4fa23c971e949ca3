package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/kube"
	release "helm.sh/helm/v4/pkg/release/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/cli-runtime/pkg/resource"
)

// upgradePlan is what an upgrade finds of its objects before it changes them.
type upgradePlan struct {
	byHand   []string         // what was changed by hand and is overwritten, a line each
	kept     []string         // Deployments whose replicas stay as they were scaled
	replaced []*resource.Info // those that cannot become what they are to be
	reset    []*resource.Info // those where fields set by hand exclude those of the chart
	existing []*resource.Info // all others that are there
}

// plan compares the cluster with what the last releases applied, and with what
// the next will. The API server says itself what applying makes of an object.
func (r *helmRelease) plan(ctx context.Context, former []*release.Release, next *release.Release) (*upgradePlan, error) {
	targets, err := r.build(next)
	if err != nil {
		return nil, err
	}
	var originals []kube.ResourceList
	for _, one := range former {
		built, err := r.build(one)
		if err != nil {
			return nil, err
		}
		originals = append(originals, built)
	}
	p := &upgradePlan{}
	for _, target := range targets {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := p.look(r, originals, target); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// build returns the objects of a release as Helm applies them.
func (r *helmRelease) build(one *release.Release) (kube.ResourceList, error) {
	list, err := r.config.KubeClient.Build(strings.NewReader(one.Manifest), false)
	if err != nil {
		return nil, fmt.Errorf("read the objects of revision %d: %w", one.Version, err)
	}
	for _, info := range list {
		o := object(info)
		o.SetLabels(with(o.GetLabels(), managedByLabel, managedByHelm))
		o.SetAnnotations(with(with(o.GetAnnotations(), releaseNameAnnotation, r.name), releaseNamespaceAnnotation, r.namespace))
	}
	return list, nil
}

func with(m map[string]string, key, value string) map[string]string {
	if m == nil {
		m = map[string]string{}
	}
	m[key] = value
	return m
}

// look notes what is to be said and done of one object.
func (p *upgradePlan) look(r *helmRelease, originals []kube.ResourceList, target *resource.Info) error {
	live, err := liveForm(target)
	if err != nil {
		return err
	}
	if live != nil && live.GetDeletionTimestamp() != nil {
		return fmt.Errorf("%s is being deleted, and what is applied to it is lost with it: it %s", naming(target), waitsForFinalizers(target.Mapping.Resource, live))
	}
	var former []*resource.Info
	for _, list := range originals {
		if original := list.Get(target); original != nil {
			former = append(former, original)
		}
	}
	switch {
	case live == nil && len(former) > 0:
		p.byHand = append(p.byHand, naming(target)+": it is missing, and is made anew")
		return nil
	case live == nil:
		return nil
	case len(former) == 0:
		if err := r.mayTake(target, live); err != nil {
			return err
		}
		p.byHand = append(p.byHand, naming(target)+": it was made by hand, and becomes the chart's")
	default:
		p.lookAtReplicas(live, former[0], target)
	}
	after, err := dryRun(target)
	switch {
	case apierrors.IsInvalid(err):
		return p.lookAtRefused(live, target, err)
	case err != nil:
		return err
	}
	p.existing = append(p.existing, target)
	p.note(target, overwritten(live, after, former))
	return nil
}

// lookAtRefused finds out why the API server takes an object of the chart for
// itself but not over what there is.
func (p *upgradePlan) lookAtRefused(live *unstructured.Unstructured, target *resource.Info, refusal error) error {
	pure, err := dryRun(underAnotherName(target))
	if err != nil {
		return err // the values are wrong
	}
	if immutable(refusal) {
		p.replaced = append(p.replaced, target)
		p.byHand = append(p.byHand, naming(target)+": it cannot be changed to what the chart has, and is replaced")
		return nil
	}
	p.reset = append(p.reset, target)
	p.note(target, slices.DeleteFunc(differences("", bare(live), bare(pure)), func(d difference) bool {
		return strings.HasPrefix(d.path, "metadata") || strings.HasSuffix(d.path, ".caBundle") || strings.HasPrefix(d.path, "spec.clusterIP")
	}))
	return nil
}

// underAnotherName is the object under a name that none has.
func underAnotherName(info *resource.Info) *resource.Info {
	other := *info
	other.Name = "osm-upgrade-" + rand.String(10)
	copied := object(info).DeepCopy()
	copied.SetName(other.Name)
	other.Object = copied
	return &other
}

func (p *upgradePlan) note(target *resource.Info, changes []difference) {
	for _, one := range changes {
		from, to := one.shown()
		if target.Mapping.GroupVersionKind.Kind == "Secret" {
			from, to = "a value", "another"
		}
		p.byHand = append(p.byHand, fmt.Sprintf("%s: %s: %s, becomes %s", naming(target), one.path, from, to))
	}
}

// mayTake refuses an object that another release has.
func (r *helmRelease) mayTake(target *resource.Info, live *unstructured.Unstructured) error {
	name, namespace := live.GetAnnotations()[releaseNameAnnotation], live.GetAnnotations()[releaseNamespaceAnnotation]
	if name == "" || name == r.name && namespace == r.namespace {
		return nil
	}
	return fmt.Errorf("%s belongs to Helm release %s in namespace %s: uninstall that release, or delete the object", naming(target), name, namespace)
}

func (p *upgradePlan) lookAtReplicas(live *unstructured.Unstructured, original, target *resource.Info) {
	if live.GetKind() != "Deployment" {
		return
	}
	keepReplicas(live, original, target)
	said := object(target).GetAnnotations()[replicasAnnotation]
	is, _ := replicasOf(live)
	if to, has := replicasOf(object(target)); has && to == is && said != "" && said != fmt.Sprint(is) && said != "auto" {
		p.kept = append(p.kept, fmt.Sprintf("%s keeps its %d replicas: the values have %s, and it was scaled\n    to change it: kubectl scale deployment %[1]s -n %[4]s --replicas=%[3]s", live.GetName(), is, said, live.GetNamespace()))
	}
}

// tell prints what was found.
func (p *upgradePlan) tell(out *terminal) {
	for _, line := range p.kept {
		out.say(done, "%s", line)
	}
	if len(p.byHand) == 0 {
		return
	}
	out.say(beware, "changed by hand, and overwritten:")
	for _, line := range p.byHand {
		out.tell("    %s", line)
	}
}
