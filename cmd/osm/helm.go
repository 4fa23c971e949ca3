package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/kube"
	release "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage/driver"

	"github.com/osm-edge/osm/manifests/render"
)

// helmRelease is the Helm release that a mesh is, of the mesh's name: helm
// itself can look at it, upgrade it and take it away.
type helmRelease struct {
	config    *action.Configuration
	name      string
	namespace string
	timeout   time.Duration
}

func (c *cluster) release(name string, timeout time.Duration) (*helmRelease, error) {
	config := action.NewConfiguration(action.ConfigurationSetLogger(slog.NewTextHandler(io.Discard, nil)))
	if err := config.Init(c.flags, c.meshNamespace, ""); err != nil {
		return nil, fmt.Errorf("find the cluster: %w", err)
	}
	return &helmRelease{config, name, c.meshNamespace, timeout}, nil
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
		return nil, fmt.Errorf("release %s in namespace %s is of another Helm: %T", r.name, r.namespace, found)
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
	_, err = install.RunWithContext(ctx, chart, values)
	return err
}

// upgrade applies the chart with the former values and these.
func (r *helmRelease) upgrade(ctx context.Context, values map[string]any, reset bool) error {
	chart, err := render.Load()
	if err != nil {
		return err
	}
	upgrade := action.NewUpgrade(r.config)
	upgrade.Namespace, upgrade.Timeout = r.namespace, r.timeout
	upgrade.WaitStrategy = kube.HookOnlyStrategy
	upgrade.ResetValues, upgrade.ResetThenReuseValues = reset, !reset
	upgrade.MaxHistory = 10
	_, err = upgrade.RunWithContext(ctx, r.name, chart, values)
	return err
}

func (r *helmRelease) rollback(revision int) error {
	rollback := action.NewRollback(r.config)
	rollback.Version, rollback.Timeout, rollback.WaitStrategy = revision, r.timeout, kube.HookOnlyStrategy
	return rollback.Run(r.name)
}

// uninstall takes away what the chart consists of, webhooks first, and waits
// until it is gone.
func (r *helmRelease) uninstall() error {
	uninstall := action.NewUninstall(r.config)
	uninstall.Timeout, uninstall.WaitStrategy = r.timeout, kube.StatusWatcherStrategy
	uninstall.DeletionPropagation, uninstall.IgnoreNotFound = "foreground", true
	_, err := uninstall.Run(r.name)
	return err
}
