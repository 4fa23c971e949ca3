package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	utilversion "k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/discovery"

	"github.com/osm-edge/osm/cmd/internal/injection"
	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/manifests/crd/v1"
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

// configuration is what counts for the next pod. It follows the MeshConfig, and
// the version of the API server if the placement of sidecars is left to that.
type configuration struct {
	options   *injection.Options
	apiServer netip.Addr
	versions  discovery.ServerVersionInterfaceWithContext
	logger    *slog.Logger
	current   atomic.Pointer[injector.Config]

	mu sync.Mutex
	choices
}

// choices are what a configuration is made of, beside the flags.
type choices struct {
	placement injector.Placement // what auto comes to; none: not known yet
	mesh      *v1.MeshConfig     // nil: there is none
	// controllerIPs are the cluster IPs of osm-controller's Service, if it has any.
	controllerIPs []netip.Addr
}

// newConfiguration fails if the flags make no valid configuration. The address
// of the API server, if it has one, is left alone by sidecars: it is not of the
// mesh, whatever else pods are to reach through it.
func newConfiguration(options *injection.Options, apiServer netip.Addr, versions discovery.ServerVersionInterfaceWithContext, logger *slog.Logger) (*configuration, error) {
	c := &configuration{options: options, apiServer: apiServer, versions: versions, logger: logger}
	return c, c.change(func(*choices) {})
}

// follow has a MeshConfig count; nil: the flags alone do.
func (c *configuration) follow(mesh *v1.MeshConfig) error {
	return c.change(func(next *choices) { next.mesh = mesh })
}

// call has new sidecars call osm-controller at these addresses where its name
// does not lead to it.
func (c *configuration) call(ips []netip.Addr) {
	if slices.Equal(ips, c.called()) {
		return
	}
	if err := c.change(func(next *choices) { next.controllerIPs = ips }); err != nil {
		c.logger.Warn("the addresses of osm-controller stay as they are", "error", err)
		return
	}
	c.logger.Info("new sidecars get the addresses of osm-controller", "addresses", ips)
}

func (c *configuration) called() []netip.Addr {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.controllerIPs
}

// change makes another configuration. If that is invalid, the one before goes on
// to count, and so do its choices.
func (c *configuration) change(alter func(*choices)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := c.choices
	alter(&next)
	config, err := c.make(next)
	if err != nil {
		return err
	}
	c.choices = next
	if c.options.Placed() || next.placement != "" {
		c.current.Store(config)
	}
	return nil
}

func (c *configuration) make(of choices) (*injector.Config, error) {
	auto := cmp.Or(of.placement, injector.Container)
	settings, err := injection.Overlay(c.options.Settings(auto), of.mesh)
	if err != nil {
		return nil, err
	}
	settings.ControllerIPs = of.controllerIPs
	if c.apiServer.IsValid() {
		only := netip.PrefixFrom(c.apiServer, c.apiServer.BitLen())
		settings.OutboundRangeExclusions = append(slices.Clone(settings.OutboundRangeExclusions), only)
	}
	return injector.NewConfig(settings)
}

func (c *configuration) placed() injector.Placement {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.placement
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
	if c.placed() == placement {
		return nil
	}
	if err := c.change(func(next *choices) { next.placement = placement }); err != nil {
		return err
	}
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
