package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/osm-edge/osm/cmd/internal/component"
	"github.com/osm-edge/osm/cmd/internal/meshconfig"
	"github.com/osm-edge/osm/cmd/internal/publish"
	"github.com/osm-edge/osm/cmd/internal/replica"
	"github.com/osm-edge/osm/cmd/internal/status"
	"github.com/osm-edge/osm/cmd/internal/status/page"
	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/provider"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/sds"
	"github.com/osm-edge/osm/sds/destination"
	"github.com/osm-edge/osm/webhook"
)

const (
	sdsPort      = 15128
	validatePort = 9093

	validatorService = "osm-validator"
	validatorSecret  = "osm-validator-tls"

	// memoryLimit, in bytes, is below the 1 GB that the chart gives the container.
	memoryLimit = 640 << 20
)

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	component.LimitMemory(memoryLimit)
	logger, level := o.Logger(name)
	config, err := component.RESTConfig(name)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	c, err := newController(ctx, o, config, client, logger)
	if err != nil {
		return err
	}
	if err := c.follow(o, config, level, logger); err != nil {
		return err
	}
	return c.run(ctx)
}

// controller is the parts of osm-controller, put together.
type controller struct {
	caches           *caches
	manager          *issuer.Manager
	retirementPeriod *rotation.RetirementPeriod
	mesh             *meshconfig.Follower
	bundles          *publish.Publisher
	scripts          *publish.Publisher
	roots            *provider.Provider
	rotation         *rotation.Rotation
	published        atomic.Pointer[rotation.State]
	kept             *replica.Serving // the certificate that all replicas serve SDS with
	election         *replica.Election
	contact          *replica.Contact
	events           *events
	outages          *outages
	index            *destination.Index
	addresses        *addresses
	ranges           func(context.Context) // finds out whether nodes' podCIDRs count
	serving          *webhook.SecretSource
	sds              *sds.Server
	validator        *webhook.Server
	validated        *webhook.SecretSource
	clients          *webhook.Clients
	ops              *component.OpsServer
	page             *page.Server
	logger           *slog.Logger
}

func newController(ctx context.Context, o *options, config *rest.Config, client kubernetes.Interface, logger *slog.Logger) (*controller, error) {
	registry := component.NewRegistry()
	self, err := identity.New(o.trustDomain, o.Namespace, name)
	if err != nil {
		return nil, err
	}
	c := &controller{retirementPeriod: rotation.NewRetirementPeriod(o.validity), events: newEvents(o, client, logger), logger: logger}
	if err := c.addPublishers(o, client, logger); err != nil {
		return nil, err
	}
	c.manager = issuer.NewManager(issuer.Options{
		TTL:          o.validity,
		KeyAlgorithm: o.keyAlgorithm,
		ClockSkew:    o.clockSkew,
		Metrics:      issuer.NewMetrics(registry),
		Logger:       logger,
	})
	c.addRotation(o, client, self, registry)
	if err := c.addRoots(o, config, client, self); err != nil {
		return nil, err
	}
	c.outages = &outages{c.manager.HealthChanges(), c.roots.Look, c.events}
	c.serving = webhook.NewSecretSource(webhook.SecretSourceOptions{
		Namespace:  o.Namespace,
		Name:       replica.ServingSecret,
		ServerName: self.CommonName(),
		Client:     client,
		Logger:     logger,
	})
	if c.sds, err = newSDS(ctx, o, client, c, registry, logger); err != nil {
		return nil, err
	}
	if err := c.addValidator(o, client, logger); err != nil {
		return nil, err
	}
	registry.MustRegister(c.index, c.manager, c.bundles, c.scripts, c.serving, c.validated)
	c.ops = &component.OpsServer{Options: &o.Options, Component: name, Registry: registry, Ready: c.ready, Warnings: c.warnings}
	c.page = &page.Server{BindAddress: o.BindAddress, Report: func() status.Report { return c.report(o) }}
	return c, nil
}

// follow has certificates and the log level follow the MeshConfig.
func (c *controller) follow(o *options, config *rest.Config, level *slog.LevelVar, logger *slog.Logger) error {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	c.mesh = meshconfig.NewFollower(meshconfig.Options{
		Client:    client,
		Namespace: o.Namespace,
		Level:     level,
		Apply:     (&certificates{o, c.manager, c.retirementPeriod}).follow,
		Overruled: o.overruled,
		Report:    (&meshStatus{client.Resource(meshconfig.Resource()).Namespace(o.Namespace)}).write,
		Logger:    logger,
	})
	return nil
}

func newSDS(ctx context.Context, o *options, client kubernetes.Interface, c *controller, registry *prometheus.Registry, logger *slog.Logger) (*sds.Server, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", o.Listen(sdsPort))
	if err != nil {
		return nil, err
	}
	c.index = destination.NewIndex(o.trustDomain)
	c.addresses = newAddresses(c.index, c.events, logger)
	c.ranges = func(ctx context.Context) {
		followRanges(ctx, o, client, c.caches.nodes.Informer().GetIndexer(), c.index, logger)
	}
	if err := c.caches.index(c.index); err != nil {
		return nil, err
	}
	ports, err := c.caches.ports()
	if err != nil {
		return nil, err
	}
	return sds.New(sds.Options{
		Listener:  listener,
		Source:    c.manager,
		ClockSkew: o.clockSkew,
		Attestor: sds.NewPodAttestor(sds.PodAttestorOptions{
			TrustDomain:         o.trustDomain,
			API:                 client.CoreV1().RESTClient(),
			TokenReviews:        client.AuthenticationV1().TokenReviews(),
			Pods:                c.caches.podLister(),
			LivePods:            client.CoreV1(),
			ServiceAccounts:     c.caches.accountLister(),
			LiveServiceAccounts: client.CoreV1(),
		}),
		Destinations:     c.index,
		HTTPPorts:        ports,
		GetCertificate:   c.serving.GetCertificate,
		Acknowledgements: acknowledgements{c.rotation},
		Metrics:          sds.NewMetrics(registry),
		Logger:           logger,
	})
}

func (c *controller) addValidator(o *options, client kubernetes.Interface, logger *slog.Logger) error {
	handler, err := webhook.Admission(newMeshValidator(c.roots), logger)
	if err != nil {
		return err
	}
	c.validated = webhook.NewSecretSource(webhook.SecretSourceOptions{
		Namespace:  o.Namespace,
		Name:       validatorSecret,
		ServerName: validatorService + "." + o.Namespace + ".svc",
		Client:     client,
		Logger:     logger,
	})
	if c.clients, err = o.callers.Clients(client, logger); err != nil {
		return err
	}
	c.validator, err = webhook.NewServer(webhook.ServerOptions{
		Address:      o.Listen(validatePort),
		Certificates: c.validated,
		Clients:      c.clients,
		Handlers:     map[string]http.Handler{"/validate": handler},
		Linger:       component.Linger,
		Logger:       logger,
	})
	return err
}

func (c *controller) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	defer c.caches.wait()
	for _, run := range []func(context.Context) error{c.ops.Run, c.page.Run, c.validated.Run, c.clients.Run, c.serving.Run, c.validator.Run, c.mesh.Run} {
		group.Go(func() error { return run(ctx) })
	}
	group.Go(func() error {
		if !c.caches.start(ctx) || !cache.WaitForCacheSync(ctx.Done(), c.mesh.Known) {
			return nil // told to end
		}
		c.ranges(ctx)
		return c.issue(ctx)
	})
	return group.Wait()
}

// issue runs what needs the caches.
func (c *controller) issue(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, p := range []*publish.Publisher{c.bundles, c.scripts} {
		group.Go(func() error { return c.publish(ctx, p) })
	}
	for _, run := range []func(context.Context) error{c.rotation.Run, c.election.Run, c.contact.Run, c.roots.Run, c.manager.Run, c.outages.Run, c.addresses.Run, c.sds.Run} {
		group.Go(func() error { return run(ctx) })
	}
	return group.Wait()
}
