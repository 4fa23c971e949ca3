package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	releasev1 "helm.sh/helm/v4/pkg/release/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/resource"

	"github.com/osm-edge/osm/cmd/internal/component"
	"github.com/osm-edge/osm/manifests/render"
)

const upgradeHelp = `Bring a mesh to the version of this osm, or change its values.

Values that were given before stay, unless --reset-values is set. What was changed
by hand in fields that the chart sets is listed and then set again. Replicas stay as
they were scaled, unless their value changes. A value that does not take effect is
named: a MeshConfig or MeshRootCertificate takes precedence over the values. What
would leave half of the mesh behind, such as another trust domain, is refused. The control
plane is replaced one pod at a time, and osm-bootstrap brings the definitions up
to date. Sidecars stay as they are: a pod gets another when it is replaced.`

func newUpgradeCommand() *cobra.Command {
	o := &installOptions{cluster: newCluster()}
	command := &cobra.Command{
		Use:   "upgrade",
		Short: "Bring a mesh to this version, or change its values",
		Long:  upgradeHelp,
		Example: `  osm upgrade
  osm upgrade --atomic --set osm.osmController.replicaCount=2`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return o.upgrade(command.Context(), newTerminal(command.OutOrStdout()))
		},
	}
	o.addFlags(command)
	flags := command.Flags()
	flags.BoolVar(&o.atomic, "atomic", false, "go back to the former release if the mesh does not get ready")
	flags.BoolVar(&o.dryRun, "dry-run", false, "change nothing, and list what was changed by hand and would be overwritten")
	flags.BoolVar(&o.reset, "reset-values", false, "forget the values that were given before")
	return command
}

func (o *installOptions) upgrade(ctx context.Context, out *terminal) error {
	values, err := o.merged()
	if err != nil {
		return err
	}
	release, err := o.cluster.release(o.meshName, o.timeout)
	if err != nil {
		return err
	}
	client, err := o.cluster.client()
	if err != nil {
		return err
	}
	last, err := release.last()
	if err != nil {
		return err
	}
	if err := o.mayUpgrade(ctx, last != nil); err != nil {
		return err
	}
	if err := release.unfinished(last); err != nil {
		return err
	}
	chart, err := render.Load()
	if err != nil {
		return err
	}
	out.say(done, "mesh %s has chart %s, revision %d; this is %s, with chart %s",
		o.meshName, last.Chart.Metadata.Version, last.Version, component.Version(), chart.Metadata.Version)
	if err := o.compare(ctx, out, release, last, values); err != nil {
		return err
	}
	plan, err := o.plan(ctx, release, last, values)
	if err != nil {
		return err
	}
	plan.tell(out)
	if o.dryRun {
		out.tell("\nnothing was changed: this was a --dry-run")
		return nil
	}
	preparing, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	if err := plan.prepare(preparing); err != nil {
		return fmt.Errorf("%w\nosm upgrade can be repeated", unlessInterrupted(ctx, err))
	}
	began := time.Now()
	err = o.start(ctx, out, client, func() error { return release.upgrade(ctx, values, o.reset) })
	if err != nil && o.atomic {
		out.say(failed, "the mesh does not get ready; going back to revision %d", last.Version)
		return errors.Join(err, release.rollback(last.Version))
	}
	if err != nil {
		return fmt.Errorf("%w\nosm upgrade can be repeated; helm rollback %s %d -n %s goes back", unlessInterrupted(ctx, err), o.meshName, last.Version, o.cluster.meshNamespace)
	}
	out.tell("\nmesh %s is upgraded, after %s", out.in(bold, o.meshName), seconds(time.Since(began)))
	return nil
}

// compare says which values do not take effect, and refuses those that would leave
// half of the mesh behind.
func (o *installOptions) compare(ctx context.Context, out *terminal, release *helmRelease, last *releasev1.Release, given map[string]any) error {
	current, err := release.current(last)
	if err != nil {
		return err
	}
	looked, all := given, loader.MergeMaps(current.Config, given)
	if o.reset {
		if looked, err = withForgotten(given, current.Config); err != nil {
			return err
		}
		all = looked
	}
	found, err := o.cluster.inForce(ctx)
	if err != nil {
		return err
	}
	effects, err := newEffects(o.cluster.meshNamespace, looked, all, found)
	if err != nil {
		return err
	}
	values, err := coalesce(all)
	if err != nil {
		return err
	}
	former, err := formerOutcome(current)
	if err != nil {
		return err
	}
	refusals, err := effects.refusals(ctx, o.cluster, values, given, former)
	if err != nil {
		return err
	}
	effects.tell(out)
	for _, r := range refusals {
		out.say(failed, "%s\n    to fix it: %s", r.problem, r.fix)
	}
	if n := len(refusals); n > 0 {
		return fmt.Errorf("nothing was changed: %s to fix first", countOf(n, "thing"))
	}
	return nil
}

// withForgotten adds the chart's own values where --reset-values brings them back.
func withForgotten(given, former map[string]any) (map[string]any, error) {
	chart, err := render.Load()
	if err != nil {
		return nil, err
	}
	for _, path := range leaves(nil, former) {
		if own := at(chart.Values, path); own != nil && at(given, path) == nil {
			given = put(given, path, own)
		}
	}
	return given, nil
}

// plan looks at what the upgrade is about to change.
func (o *installOptions) plan(ctx context.Context, release *helmRelease, last *releasev1.Release, values map[string]any) (*upgradePlan, error) {
	current, err := release.current(last)
	if err != nil {
		return nil, err
	}
	former := []*releasev1.Release{last}
	if current.Version != last.Version {
		former = append(former, current)
	}
	next, err := release.next(ctx, values, o.reset)
	if err != nil {
		return nil, fmt.Errorf("prepare the upgrade: %w", err)
	}
	plan, err := release.plan(ctx, former, next)
	if err != nil {
		return nil, fmt.Errorf("look at what is there: %w", err)
	}
	return plan, nil
}

// overwritten returns what differs from all of the former releases, as they would
// be applied today, and is not what it is to become.
func overwritten(live, after *unstructured.Unstructured, former []*resource.Info) []difference {
	changes := differences("", bare(live), bare(after))
	for _, original := range former {
		released, err := dryRun(original)
		if err != nil {
			continue // what it was cannot be told
		}
		byHand := differences("", bare(live), bare(released))
		changes = slices.DeleteFunc(changes, func(d difference) bool {
			return !slices.ContainsFunc(byHand, func(other difference) bool { return other.path == d.path })
		})
	}
	if len(former) == 0 {
		return nil
	}
	return changes
}

// bare is an object without what the API server writes itself.
func bare(o *unstructured.Unstructured) any {
	o = o.DeepCopy()
	delete(o.Object, "status")
	for _, field := range []string{"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp"} {
		unstructured.RemoveNestedField(o.Object, "metadata", field)
	}
	return o.Object
}

// dryRun returns what an object would become.
func dryRun(info *resource.Info) (*unstructured.Unstructured, error) {
	data, err := runtime.Encode(unstructured.UnstructuredJSONScheme, info.Object)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", naming(info), err)
	}
	force := true
	after, err := resource.NewHelper(info.Client, info.Mapping).DryRun(true).WithFieldManager(helmManager).
		Patch(info.Namespace, info.Name, types.ApplyPatchType, data, &metav1.PatchOptions{Force: &force})
	if err != nil {
		return nil, fmt.Errorf("try to apply %s: %w", naming(info), err)
	}
	return after.(*unstructured.Unstructured), nil
}

// immutable tells whether the API server refuses to change a field at all. It
// has no reason of its own for that.
func immutable(err error) bool {
	return apierrors.IsInvalid(err) && (strings.Contains(err.Error(), "immutable") || strings.Contains(err.Error(), "cannot change roleRef"))
}

// naming says of which object something is said.
func naming(info *resource.Info) string {
	kind := info.Mapping.GroupVersionKind.Kind
	if info.Namespace == "" {
		return kind + " " + info.Name
	}
	return kind + " " + info.Namespace + "/" + info.Name
}
