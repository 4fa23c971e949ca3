package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/osm-edge/osm/cmd/internal/component"
	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/manifests"
	"github.com/osm-edge/osm/webhook"
)

const (
	mutatePort    = 9090
	servingSecret = "osm-injector-tls"
)

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	logger := o.Logger(name)
	config, err := component.RESTConfig(name)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	informer := factory.Core().V1().Namespaces()
	cached := informer.Informer().HasSynced
	certificates := webhook.NewSecretSource(webhook.SecretSourceOptions{
		Namespace:  o.Namespace,
		Name:       servingSecret,
		ServerName: name + "." + o.Namespace + ".svc",
		Client:     client,
		Logger:     logger,
	})
	registry := component.NewRegistry()
	lookup := &namespaces{informer.Lister(), client.CoreV1().Namespaces(), manifests.Monitored(o.MeshName)}
	handler, err := newHandler(o, lookup, registry, logger)
	if err != nil {
		return err
	}
	server, err := webhook.NewServer(webhook.ServerOptions{
		Address:      o.Listen(mutatePort),
		Certificates: certificates,
		Handlers:     map[string]http.Handler{"/mutate-pod-creation": handler},
		Linger:       component.Linger,
		Logger:       logger,
	})
	if err != nil {
		return err
	}
	ops := &component.OpsServer{Options: &o.Options, Registry: registry, Ready: func() error {
		if !cached() {
			return errors.New("the namespaces are not cached yet")
		}
		return certificates.Ready()
	}}
	group, ctx := errgroup.WithContext(ctx)
	factory.StartWithContext(ctx)
	defer factory.Shutdown()
	group.Go(func() error { return ops.Run(ctx) })
	group.Go(func() error { return certificates.Run(ctx) })
	group.Go(func() error {
		if !cache.WaitForCacheSync(ctx.Done(), cached) {
			return nil // told to end
		}
		return server.Run(ctx)
	})
	return group.Wait()
}

func newHandler(o *options, namespaces injector.Namespaces, registry *prometheus.Registry, logger *slog.Logger) (http.Handler, error) {
	config, err := injector.NewConfig(o.settings())
	if err != nil {
		return nil, err
	}
	handler, err := injector.NewHandler(injector.Options{
		Config:     func() *injector.Config { return config },
		Namespaces: namespaces,
		Registerer: registry,
		Logger:     logger,
	})
	if err != nil {
		return nil, err
	}
	return webhook.Admission(handler, logger)
}
