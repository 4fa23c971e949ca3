package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	utilversion "k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/discovery"

	"github.com/osm-edge/osm/cmd/internal/injection"
	"github.com/osm-edge/osm/injector"
)

const (
	// versionTimeout leaves the API server time for an answer.
	versionTimeout = 5 * time.Second
	// versionRetry is how long a new replica waits before it asks again.
	versionRetry = 2 * time.Second
	// versionRecheck is how late an upgrade of the cluster is noticed. Until
	// then pods get the placement that they had, which goes on to work.
	versionRecheck = 10 * time.Minute
)

// nativeSince is the first API server whose kubelets all know native sidecars:
// that feature is on by default from 1.29 on, and a kubelet is at most three
// minor versions older than its API server (Kubernetes, "Version Skew Policy").
var nativeSince = utilversion.MustParseGeneric("1.32")

// configuration is what counts for the next pod. It follows the version of the
// API server if the placement of sidecars is left to that.
type configuration struct {
	options  *injection.Options
	settings injector.Settings
	versions discovery.ServerVersionInterfaceWithContext
	logger   *slog.Logger
	current  atomic.Pointer[injector.Config]
}

// newConfiguration fails if the flags make no valid configuration. The address
// of the API server, if it has one, is left alone by sidecars: it is not of the
// mesh, whatever else pods are to reach through it.
func newConfiguration(options *injection.Options, apiServer netip.Addr, versions discovery.ServerVersionInterfaceWithContext, logger *slog.Logger) (*configuration, error) {
	c := &configuration{options: options, versions: versions, logger: logger}
	c.settings = options.Settings(injector.Container)
	if apiServer.IsValid() {
		only := netip.PrefixFrom(apiServer, apiServer.BitLen())
		c.settings.OutboundRangeExclusions = append(slices.Clone(c.settings.OutboundRangeExclusions), only)
	}
	config, err := injector.NewConfig(c.settings)
	if err != nil {
		return nil, err
	}
	if options.Placed() {
		c.current.Store(config)
	}
	return c, nil
}

func (c *configuration) known() bool { return c.current.Load() != nil }

// Ready tells why there is no configuration yet.
func (c *configuration) Ready() error {
	if !c.known() {
		return errors.New("the API server's version, which decides on native sidecars, is not known yet")
	}
	return nil
}

// Run follows the version of the API server until ctx ends.
func (c *configuration) Run(ctx context.Context) error {
	if c.options.Placed() {
		return nil
	}
	for {
		pause := versionRecheck
		if err := c.refresh(ctx); err != nil && ctx.Err() == nil {
			c.logger.WarnContext(ctx, "the placement of sidecars stays as it is", "error", err)
			pause = versionRetry
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

func (c *configuration) refresh(ctx context.Context) error {
	placement, version, err := c.discover(ctx)
	if err != nil {
		return err
	}
	if c.known() && c.settings.Placement == placement {
		return nil
	}
	c.settings.Placement = placement
	config, err := injector.NewConfig(c.settings)
	if err != nil {
		return err
	}
	c.current.Store(config)
	c.logger.InfoContext(ctx, "sidecars are placed as the API server's version allows", "placement", placement, "version", version)
	return nil
}

// discover asks for the version of the API server, and what it allows.
func (c *configuration) discover(ctx context.Context) (injector.Placement, string, error) {
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	info, err := c.versions.ServerVersionWithContext(ctx)
	if err != nil {
		return "", "", fmt.Errorf("ask for the API server's version: %w", err)
	}
	version, err := utilversion.ParseGeneric(info.GitVersion)
	if err != nil {
		return "", "", fmt.Errorf("read the API server's version: %w", err)
	}
	if version.AtLeast(nativeSince) {
		return injector.Native, info.GitVersion, nil
	}
	return injector.Container, info.GitVersion, nil
}
