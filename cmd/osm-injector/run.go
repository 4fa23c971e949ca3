package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"os"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	listersv1 "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/osm-edge/osm/cmd/internal/component"
	"github.com/osm-edge/osm/cmd/internal/injection"
	"github.com/osm-edge/osm/cmd/internal/meshconfig"
	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/manifests"
	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/manifests/follow"
	"github.com/osm-edge/osm/webhook"
)

const (
	mutatePort    = 9090
	mutatePath    = "/mutate-pod-creation"
	servingSecret = "osm-injector-tls"
)

func run(ctx context.Context, args []string) error {
	o, err := injection.Parse(name, args)
	if err != nil {
		return err
	}
	collectLate()
	logger, level := o.Logger(name)
	assumeClusterDomain(o, logger)
	config, err := component.RESTConfig(name)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	service, err := newService(o, client, logger)
	if err != nil {
		return err
	}
	if err := service.follow(o, config, level, logger); err != nil {
		return err
	}
	return service.run(ctx)
}

// service is the parts of osm-injector, put together.
type service struct {
	namespaces    *follow.Follower[*corev1.Namespace]
	ranges        *follow.Follower[*corev1.LimitRange]
	cached        []cache.InformerSynced
	configuration *configuration
	controllerIPs *controllerIPs
	mesh          *meshconfig.Follower
	events        *events
	certificates  *webhook.SecretSource
	clients       *webhook.Clients
	server        *webhook.Server
	ops           *component.OpsServer
}

func newService(o *injection.Options, client kubernetes.Interface, logger *slog.Logger) (*service, error) {
	s := &service{namespaces: follow.New[*corev1.Namespace](client.CoreV1().Namespaces(), follow.Options{Client: client, Logger: logger}), events: newEvents(client)}
	unread := &forbidden{what: "limit ranges: sidecars get what the MeshConfig and annotations set, which a LimitRange may refuse", logger: logger}
	s.ranges = follow.New[*corev1.LimitRange](client.CoreV1().LimitRanges(metav1.NamespaceAll), follow.Options{Client: client, Failed: unread.failed})
	s.cached = []cache.InformerSynced{s.namespaces.Synced, func() bool { return s.ranges.Synced() || unread.is() }}
	var err error
	s.certificates = webhook.NewSecretSource(webhook.SecretSourceOptions{
		Namespace:  o.Namespace,
		Name:       servingSecret,
		ServerName: name + "." + o.Namespace + ".svc",
		Client:     client,
		Logger:     logger,
	})
	if s.clients, err = o.Callers.Clients(client, logger); err != nil {
		return nil, err
	}
	versions := discovery.ToServerVersionInterfaceWithContext(client.Discovery())
	if s.configuration, err = newConfiguration(o, apiServer(logger), versions, logger); err != nil {
		return nil, err
	}
	s.controllerIPs = followControllerIPs(client, o.Namespace, s.configuration.call, logger)
	limitRanges := listersv1.NewLimitRangeLister(s.ranges.Informer().GetIndexer())
	registry := component.NewRegistry()
	registry.MustRegister(s.certificates)
	s.server, err = newServer(webhook.ServerOptions{Address: o.Listen(mutatePort), Certificates: s.certificates, Clients: s.clients}, injector.Options{
		Config:     s.configuration.current.Load,
		Namespaces: &namespaces{cached: listersv1.NewNamespaceLister(s.namespaces.Informer().GetIndexer()), live: client.CoreV1().Namespaces(), monitored: manifests.Monitored(o.MeshName)},
		LimitRanges: func(namespace string) ([]*corev1.LimitRange, error) {
			return limitRanges.LimitRanges(namespace).List(labels.Everything())
		},
		Refusals:   s.events,
		Registerer: registry,
		Logger:     logger,
	})
	s.ops = &component.OpsServer{Options: &o.Options, Component: name, Registry: registry, Ready: s.ready}
	return s, err
}

// follow has the configuration and the log level follow the MeshConfig.
func (s *service) follow(o *injection.Options, config *rest.Config, level *slog.LevelVar, logger *slog.Logger) error {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	s.mesh = meshconfig.NewFollower(meshconfig.Options{
		Client:    client,
		Namespace: o.Namespace,
		Level:     level,
		Apply:     s.configuration.follow,
		Overruled: func(mesh *v1.MeshConfig) []string { return injection.Overruled(o.Settings(injector.Native), mesh) },
		Logger:    logger,
	})
	return nil
}

// newServer completes the options of a server that asks the injector of o.
func newServer(server webhook.ServerOptions, o injector.Options) (*webhook.Server, error) {
	handler, err := injector.NewHandler(o)
	if err != nil {
		return nil, err
	}
	admission, err := webhook.Admission(handler, o.Logger)
	if err != nil {
		return nil, err
	}
	server.Handlers = map[string]http.Handler{mutatePath: admission}
	server.Linger, server.Logger = component.Linger, o.Logger
	return webhook.NewServer(server)
}

// apiServer is the address that the kubelet tells pods (Kubernetes, "Accessing
// the API from a Pod").
func apiServer(logger *slog.Logger) netip.Addr {
	host := os.Getenv("KUBERNETES_SERVICE_HOST")
	address, err := netip.ParseAddr(host)
	if err != nil && host != "" {
		logger.Warn("the API server has no fixed address to be left alone by sidecars: exclude its addresses with osm.outboundIPRangeExclusionList",
			"KUBERNETES_SERVICE_HOST", host)
	}
	return address.Unmap().WithZone("")
}

func (s *service) ready() error {
	for _, cached := range s.cached {
		if !cached() {
			return errors.New("the namespaces and limit ranges are not cached yet")
		}
	}
	if !s.mesh.Known() {
		return errors.New("whether there is a MeshConfig is not known yet")
	}
	if !s.controllerIPs.Known() {
		return errors.New("the addresses of osm-controller are not known yet")
	}
	return errors.Join(s.configuration.Ready(), s.certificates.Ready(), s.clients.Ready())
}

func (s *service) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, run := range []func(context.Context) error{s.namespaces.Run, s.ranges.Run, s.ops.Run, s.certificates.Run, s.clients.Run, s.configuration.Run, s.controllerIPs.Run, s.mesh.Run, s.events.Run} {
		group.Go(func() error { return run(ctx) })
	}
	group.Go(func() error {
		if !cache.WaitForCacheSync(ctx.Done(), append(s.cached, s.configuration.known, s.controllerIPs.Known, s.mesh.Known)...) {
			return nil // told to end
		}
		return s.server.Run(ctx)
	})
	return group.Wait()
}
