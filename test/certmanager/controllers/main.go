// Command controllers is cert-manager without its webhook and ACME: the controllers that approve and sign
// CertificateRequests, and keep Certificates, in one process, for as long as its standard input stays open. It prints
// "ready" once they watch.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/cert-manager/cert-manager/pkg/controller"
	"github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/approver"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/ca"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/issuing"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/keymanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/readiness"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/requestmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/revisionmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"
	_ "github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"
	_ "github.com/cert-manager/cert-manager/pkg/controller/issuers"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"
)

// workers are those that cert-manager itself has by default.
const workers = 5

func main() {
	kubeconfig := flag.String("kubeconfig", "", "file that leads to the API server")
	approve := flag.Bool("approve", true, "approve every CertificateRequest")
	flag.Parse()
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // however it ends, its owner is gone
		cancel()
	}()
	if err := run(ctx, *kubeconfig, *approve); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, kubeconfig string, approve bool) error {
	factory, err := controller.NewContextFactory(ctx, controller.ContextOptions{
		Kubeconfig:         kubeconfig,
		KubernetesAPIQPS:   20,
		KubernetesAPIBurst: 50,
		IssuerOptions:      controller.IssuerOptions{ClusterResourceNamespace: "cert-manager"},
		CertificateOptions: controller.CertificateOptions{
			CertificateRequestMinimumBackoffDuration: time.Hour,
			CertificateRequestMaximumBackoffDuration: 32 * time.Hour,
		},
	})
	if err != nil {
		return err
	}
	shared, err := factory.Build()
	if err != nil {
		return err
	}
	controllers, err := build(factory, approve)
	if err != nil {
		return err
	}
	shared.SharedInformerFactory.Start(ctx.Done())
	shared.KubeSharedInformerFactory.Start(ctx.Done())
	for kind, synced := range shared.SharedInformerFactory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return fmt.Errorf("watching %s: %w", kind, context.Cause(ctx))
		}
	}
	shared.KubeSharedInformerFactory.WaitForCacheSync(ctx.Done())
	fmt.Println("ready")
	return runAll(ctx, controllers)
}

// build makes the controllers that the imports above register.
func build(factory *controller.ContextFactory, approve bool) (map[string]controller.Interface, error) {
	controllers := map[string]controller.Interface{}
	for name, construct := range controller.Known() {
		if name == approver.ControllerName && !approve {
			continue
		}
		c, err := construct(factory)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		controllers[name] = c
	}
	return controllers, nil
}

func runAll(ctx context.Context, controllers map[string]controller.Interface) error {
	var group sync.WaitGroup
	failures := make(chan error, len(controllers))
	for name, c := range controllers {
		group.Go(func() {
			if err := c.Run(workers, ctx); err != nil {
				failures <- fmt.Errorf("%s: %w", name, err)
			}
		})
	}
	group.Wait()
	close(failures)
	var all error
	for err := range failures {
		all = errors.Join(all, err)
	}
	return all
}
