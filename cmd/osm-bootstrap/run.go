package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/osm-edge/osm/bootstrap"
	"github.com/osm-edge/osm/cmd/internal/component"
	"github.com/osm-edge/osm/cmd/internal/meshconfig"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/manifests"
	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/manifests/event"
	"github.com/osm-edge/osm/webhook"
)

const (
	service     = "osm-bootstrap"
	convertPort = 9443

	// settle is far longer than an API server's watch takes, and far shorter than
	// a root is trusted.
	settle = 10 * time.Second

	// memoryLimit, in bytes, is below the 128 MB that the chart gives the container.
	memoryLimit = 80 << 20
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
	steps, err := newBootstrap(o, config, logger)
	if err != nil {
		return err
	}
	if o.once {
		return steps.Once(ctx)
	}
	return serve(ctx, o, config, steps, level, logger)
}

// serve keeps repeating the steps and answers conversions.
func serve(ctx context.Context, o *options, config *rest.Config, steps *bootstrap.Bootstrap, level *slog.LevelVar, logger *slog.Logger) error {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	objects, err := metadata.NewForConfig(config)
	if err != nil {
		return err
	}
	meshConfigs, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	follower := meshconfig.NewFollower(meshconfig.Options{Client: meshConfigs, Namespace: o.Namespace, Level: level, Logger: logger})
	certificates := webhook.NewSecretSource(webhook.SecretSourceOptions{
		Namespace:  o.Namespace,
		Name:       bootstrap.ServingSecret(service),
		ServerName: service + "." + o.Namespace + ".svc",
		Client:     client,
		Logger:     logger,
	})
	converter, err := webhook.NewServer(webhook.ServerOptions{
		Address:      o.Listen(convertPort),
		Certificates: certificates,
		Handlers:     map[string]http.Handler{"/convert": webhook.NewConverter(logger)},
		Linger:       component.Linger,
		Logger:       logger,
	})
	if err != nil {
		return err
	}
	changes := newChanges(objects, watched(o))
	runner := &bootstrap.Runner{Bootstrap: steps, Changed: changes.signal}
	registry := component.NewRegistry()
	registry.MustRegister(certificates)
	ops := &component.OpsServer{
		Options:   &o.Options,
		Component: name,
		Registry:  registry,
		Ready:     func() error { return errors.Join(runner.Ready(), certificates.Ready()) },
		Warnings:  runner.Warnings,
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, run := range []func(context.Context) error{changes.Run, runner.Run, certificates.Run, converter.Run, follower.Run, ops.Run} {
		group.Go(func() error { return run(ctx) })
	}
	return group.Wait()
}

func newBootstrap(o *options, config *rest.Config, logger *slog.Logger) (*bootstrap.Bootstrap, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	extensions, err := apiextensions.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	objects, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	own := func(resource string) dynamic.ResourceInterface {
		return objects.Resource(v1.GroupVersion.WithResource(resource)).Namespace(o.Namespace)
	}
	crds, err := crdNames(o.Namespace)
	if err != nil {
		return nil, err
	}
	instance, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	labels := manifests.Labels(o.MeshName, component.Version())
	record := &rotation.Record{ConfigMaps: client.CoreV1().ConfigMaps(o.Namespace)}
	return bootstrap.New(bootstrap.Options{
		MeshNamespace:        o.Namespace,
		Secrets:              client.CoreV1().Secrets(o.Namespace),
		ConfigMaps:           client.CoreV1().ConfigMaps(o.Namespace),
		CRDs:                 extensions.ApiextensionsV1().CustomResourceDefinitions(),
		MeshConfigs:          own("meshconfigs"),
		MeshRootCertificates: own("meshrootcertificates"),
		Preset:               o.preset,
		RootSecret:           o.rootSecret,
		Labels:               labels,
		Trusted: func(ctx context.Context) (bootstrap.Trusted, error) {
			state, err := record.Read(ctx)
			if errors.Is(err, rotation.ErrMalformed) { // osm-controller repairs it
				return bootstrap.Trusted{All: state.Bundle()}, nil
			}
			return bootstrap.Trusted{All: state.Bundle(), Current: state.Current()}, err
		},
		CABundles: webhook.NewCABundles(webhook.CABundlesOptions{
			Webhooks:                        client.AdmissionregistrationV1(),
			Definitions:                     extensions.ApiextensionsV1(),
			MutatingWebhookConfigurations:   []string{o.mutatingWebhook},
			ValidatingWebhookConfigurations: []string{o.validatingWebhook},
			CustomResourceDefinitions:       crds,
			Logger:                          logger,
		}),
		Settle:         settle,
		RenewalPercent: o.rootRenewal,
		Reporter:       &bootstrap.Events{Writer: event.Writer{Client: client.EventsV1().Events(o.Namespace), Namespace: o.Namespace, Component: name, Instance: instance, Labels: labels}},
		Logger:         logger,
	}), nil
}

func crdNames(namespace string) ([]string, error) {
	crds, err := manifests.CRDs(namespace)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, crd := range crds {
		names = append(names, crd.Name)
	}
	return names, nil
}
