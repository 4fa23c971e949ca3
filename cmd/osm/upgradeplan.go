package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/kube"
	release "helm.sh/helm/v4/pkg/release/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/cli-runtime/pkg/resource"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
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

// prepare has Helm alone manage what the chart sets, and makes room for what has
// to be made anew.
func (p *upgradePlan) prepare(ctx context.Context) error {
	for _, info := range p.existing {
		after, err := dryRun(info)
		if err != nil {
			return err
		}
		chart, err := appliedFields(after)
		if err != nil {
			return err
		}
		if err := takeOver(info, chart); err != nil {
			return err
		}
	}
	for _, info := range p.reset {
		if err := takeOver(info, nil); err != nil {
			return err
		}
	}
	for _, info := range p.replaced {
		if err := deleteNow(ctx, info); err != nil {
			return fmt.Errorf("replace %s: %w", naming(info), err)
		}
	}
	return nil
}

// takeOver makes Helm the manager of what the chart sets, or of everything that
// was set by hand if chart is nil.
func takeOver(info *resource.Info, chart *fieldpath.Set) error {
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		live, err := liveForm(info)
		if live == nil {
			return err
		}
		entries, changed, err := takenOver(live.GetManagedFields(), chart)
		if err != nil || !changed {
			return err
		}
		patch, err := takeOverPatch(live, entries)
		if err != nil {
			return err
		}
		_, err = resource.NewHelper(info.Client, info.Mapping).WithFieldManager(helmManager).Patch(info.Namespace, info.Name, types.JSONPatchType, patch, nil)
		return err
	})
	if err != nil {
		return fmt.Errorf("take over %s: %w", naming(info), err)
	}
	return nil
}

func deleteNow(ctx context.Context, info *resource.Info) error {
	background := metav1.DeletePropagationBackground
	_, err := resource.NewHelper(info.Client, info.Mapping).DeleteWithOptions(info.Namespace, info.Name, &metav1.DeleteOptions{PropagationPolicy: &background})
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	var last *unstructured.Unstructured
	err = wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(context.Context) (bool, error) {
		live, err := liveForm(info)
		if err != nil {
			return false, unlessPassing(err)
		}
		last = live
		return live == nil, nil
	})
	switch {
	case err == nil || ctx.Err() == nil:
		return err
	case last != nil && len(last.GetFinalizers()) > 0:
		return fmt.Errorf("it %s", waitsForFinalizers(info.Mapping.Resource, last))
	}
	return fmt.Errorf("it is deleted, and is still there: %w", err)
}
