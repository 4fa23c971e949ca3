package main

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/manifests/follow"
)

const controllerService = "osm-controller"

// controllerIPs follows the cluster IPs of osm-controller's Service, which
// sidecars call where no DNS of the cluster's answers them.
type controllerIPs struct {
	service *follow.Follower[*corev1.Service]
	failed  atomic.Bool
}

// followControllerIPs has use called with the addresses whenever they may have
// changed: none without the Service, or if it is headless.
func followControllerIPs(client kubernetes.Interface, namespace string, use func([]netip.Addr), logger *slog.Logger) *controllerIPs {
	c := &controllerIPs{}
	c.service = follow.New[*corev1.Service](client.CoreV1().Services(namespace), follow.Options{
		Name: controllerService, Client: client,
		Failed: func(err error) {
			if !c.failed.Swap(true) {
				logger.Warn("the Service of osm-controller cannot be read: sidecars get no address of it beside its name", "error", err)
			}
		},
	})
	c.service.On(func(service *corev1.Service) { use(clusterIPs(service)) }, func(*corev1.Service) { use(nil) })
	return c
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
func (c *controllerIPs) Known() bool { return c.service.Synced() || c.failed.Load() }

// Run follows the Service until ctx ends.
func (c *controllerIPs) Run(ctx context.Context) error { return c.service.Run(ctx) }
