package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/kube"
	"helm.sh/helm/v4/pkg/release/common"
	release "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage/driver"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/osm-edge/osm/manifests/render"
)

// helmRelease is the Helm release that a mesh is, of the mesh's name: helm
// itself can look at it, upgrade it and take it away.
type helmRelease struct {
	config    *action.Configuration
	client    *scaledClient
	name      string
	namespace string
	timeout   time.Duration
}

func (c *cluster) release(name string, timeout time.Duration) (*helmRelease, error) {
	config := action.NewConfiguration(action.ConfigurationSetLogger(slog.NewTextHandler(io.Discard, nil)))
	if err := config.Init(c.flags, c.meshNamespace, os.Getenv("HELM_DRIVER")); err != nil {
		return nil, fmt.Errorf("find the cluster: %w", err)
	}
	kube.ManagedFieldsManager = helmManager // which the library takes from the program's name otherwise
	client := &scaledClient{Client: kube.New(c.flags)}
	client.SetLogger(config.Logger().Handler())
	config.KubeClient = client
	return &helmRelease{config, client, name, c.meshNamespace, timeout}, nil
}

// last returns the release as it was written last, and nil if there is none.
func (r *helmRelease) last() (*release.Release, error) {
	found, err := r.config.Releases.Last(r.name)
	if errors.Is(err, driver.ErrReleaseNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read release %s in namespace %s: %w", r.name, r.namespace, err)
	}
	last, ok := found.(*release.Release)
	if !ok {
		return nil, fmt.Errorf("release %s in namespace %s was made by another Helm: %T", r.name, r.namespace, found)
	}
	return last, nil
}

// install applies the chart. It does not wait for what that starts.
func (r *helmRelease) install(ctx context.Context, values map[string]any) error {
	chart, err := render.Load()
	if err != nil {
		return err
	}
	install := action.NewInstall(r.config)
	install.ReleaseName, install.Namespace, install.Timeout = r.name, r.namespace, r.timeout
	install.WaitStrategy = kube.HookOnlyStrategy
	install.Replace = true // what was looked at before, too
	// Whose the objects are that there are was looked at before.
	install.ServerSideApply, install.ForceConflicts, install.TakeOwnership = true, true, true
	_, err = install.RunWithContext(ctx, chart, values)
	return err
}

// current returns the release that the next is laid over, as Helm chooses it:
// the last that was applied to its end, and else the last.
func (r *helmRelease) current(last *release.Release) (*release.Release, error) {
	found, err := r.config.Releases.Deployed(r.name)
	if errors.Is(err, driver.ErrNoDeployedReleases) || errors.Is(err, driver.ErrReleaseNotFound) {
		return last, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the deployed release %s in namespace %s: %w", r.name, r.namespace, err)
	}
	if deployed, ok := found.(*release.Release); ok {
		return deployed, nil
	}
	return last, nil
}

// next returns the release that an upgrade would make, and writes nothing.
func (r *helmRelease) next(ctx context.Context, values map[string]any, reset bool) (*release.Release, error) {
	upgrade := r.newUpgrade(reset)
	upgrade.DryRunStrategy = action.DryRunServer
	return r.run(ctx, upgrade, values)
}

// upgrade applies the chart with the former values and these.
func (r *helmRelease) upgrade(ctx context.Context, values map[string]any, reset bool) error {
	_, err := r.run(ctx, r.newUpgrade(reset), values)
	return err
}

// newUpgrade makes Helm's upgrade overwrite what others have set, and take over
// what they have made: what is another release's was refused before.
func (r *helmRelease) newUpgrade(reset bool) *action.Upgrade {
	upgrade := action.NewUpgrade(r.config)
	upgrade.Namespace, upgrade.Timeout = r.namespace, r.timeout
	upgrade.WaitStrategy = kube.HookOnlyStrategy
	upgrade.ResetValues, upgrade.ResetThenReuseValues = reset, !reset
	upgrade.ServerSideApply, upgrade.ForceConflicts, upgrade.TakeOwnership = "true", true, true
	upgrade.MaxHistory = 10
	return upgrade
}

func (r *helmRelease) run(ctx context.Context, upgrade *action.Upgrade, values map[string]any) (*release.Release, error) {
	chart, err := render.Load()
	if err != nil {
		return nil, err
	}
	made, err := upgrade.RunWithContext(ctx, r.name, chart, values)
	if err != nil {
		return nil, err
	}
	next, ok := made.(*release.Release)
	if !ok {
		return nil, fmt.Errorf("release %s in namespace %s was made by another Helm: %T", r.name, r.namespace, made)
	}
	return next, nil
}

func (r *helmRelease) rollback(revision int) error {
	r.client.goingBack = true
	rollback := action.NewRollback(r.config)
	rollback.Version, rollback.Timeout, rollback.WaitStrategy = revision, r.timeout, kube.HookOnlyStrategy
	rollback.ServerSideApply, rollback.ForceConflicts = "true", true
	return rollback.Run(r.name)
}

// uninstall deletes what of the chart is not gone yet, as what has lost its labels,
// and the release. It does not wait until all is gone. Of kinds that the cluster
// does not know any more, there is nothing.
func (r *helmRelease) uninstall() error {
	last, err := r.last()
	if err != nil || last == nil {
		return err
	}
	if _, err := r.config.KubeClient.Build(strings.NewReader(last.Manifest), false); meta.IsNoMatchError(err) {
		return r.forget()
	}
	uninstall := action.NewUninstall(r.config)
	uninstall.Timeout, uninstall.WaitStrategy = r.timeout, kube.HookOnlyStrategy
	uninstall.DeletionPropagation, uninstall.IgnoreNotFound = "background", true
	_, err = uninstall.Run(r.name)
	return err
}

// replaceable tells whether a release is what is left of an installation that did
// not come to its end, or of one that is no more, and that nothing goes on with.
func (r *helmRelease) replaceable(last *release.Release) (bool, error) {
	if last == nil || last.Info.Status != common.StatusFailed {
		return last != nil && last.Info.Status == common.StatusUninstalled, nil
	}
	_, err := r.config.Releases.Deployed(r.name)
	if errors.Is(err, driver.ErrNoDeployedReleases) || errors.Is(err, driver.ErrReleaseNotFound) {
		return true, nil
	}
	return false, err
}

// forget deletes all that is recorded of the release, and none of its objects.
func (r *helmRelease) forget() error {
	revisions, err := r.config.Releases.History(r.name)
	if err != nil {
		return fmt.Errorf("read release %s in namespace %s: %w", r.name, r.namespace, err)
	}
	for _, one := range revisions {
		if revision, ok := one.(*release.Release); ok {
			if _, err := r.config.Releases.Delete(r.name, revision.Version); err != nil {
				return fmt.Errorf("delete revision %d of release %s in namespace %s: %w", revision.Version, r.name, r.namespace, err)
			}
		}
	}
	return nil
}

// unfinished refuses a release that is being changed, or was by one that was
// killed: Helm never ends that by itself.
func (r *helmRelease) unfinished(last *release.Release) error {
	mesh := &cluster{meshNamespace: r.namespace}
	switch last.Info.Status {
	case common.StatusUninstalled:
		return fmt.Errorf("release %s in namespace %s is uninstalled, and Helm has kept its history: to install it again, %s", r.name, r.namespace, mesh.command(r.name, "install"))
	case common.StatusUninstalling:
		return fmt.Errorf("release %s in namespace %s is being uninstalled: to complete that, %s", r.name, r.namespace, mesh.command(r.name, "uninstall mesh"))
	}
	if !last.Info.Status.IsPending() {
		return nil
	}
	return fmt.Errorf("revision %d of release %s is %s since %s: wait until that has come to its end\nif what began it was killed: kubectl delete secret -n %s -l owner=helm,name=%[2]s,version=%[1]d",
		last.Version, r.name, last.Info.Status, last.Info.LastDeployed.Format(time.RFC3339), r.namespace)
}
