package main

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

const controllerService = "osm-controller"

// controllerIPs follows the cluster IPs of osm-controller's Service, which
// sidecars call where no DNS of the cluster's answers them.
type controllerIPs struct {
	informer cache.SharedIndexInformer
	used     cache.InformerSynced
	failed   atomic.Bool
}

// followControllerIPs has use called with the addresses whenever they may have
// changed: none without the Service, or if it is headless.
func followControllerIPs(client kubernetes.Interface, namespace string, use func([]netip.Addr), logger *slog.Logger) (*controllerIPs, error) {
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(namespace),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) {
			o.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, controllerService).String()
		}))
	c := &controllerIPs{informer: factory.Core().V1().Services().Informer()}
	update := func(object any) {
		if service, ok := object.(*corev1.Service); ok {
			use(clusterIPs(service))
		}
	}
	handled, err := c.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    update,
		UpdateFunc: func(_, service any) { update(service) },
		DeleteFunc: func(any) { use(nil) },
	})
	if err != nil {
		return nil, err
	}
	c.used = handled.HasSynced
	return c, c.informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, _ *cache.Reflector, err error) {
		if !c.failed.Swap(true) && ctx.Err() == nil {
			logger.WarnContext(ctx, "the Service of osm-controller cannot be read: sidecars get no address of it beside its name", "error", err)
		}
	})
}

// clusterIPs are those of both families, the Service's first one first.
func clusterIPs(service *corev1.Service) (ips []netip.Addr) {
	for _, text := range append([]string{service.Spec.ClusterIP}, service.Spec.ClusterIPs...) {
		if ip, err := netip.ParseAddr(text); err == nil && !slices.Contains(ips, ip) {
			ips = append(ips, ip)
		}
	}
	return ips
}

// Known tells whether the API server has said what the addresses are, or that it
// cannot say: sidecars find osm-controller by its name as well.
func (c *controllerIPs) Known() bool { return c.used() || c.failed.Load() }

// Run follows the Service until ctx ends.
func (c *controllerIPs) Run(ctx context.Context) error {
	c.informer.RunWithContext(ctx)
	return nil
}
