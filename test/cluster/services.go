package cluster

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
)

// services is what kube-proxy and the cluster's DNS are elsewhere: it finds who answers at an address of the cluster.
type services struct {
	informers informers.SharedInformerFactory
	services  corelisters.ServiceLister
	slices    discoverylisters.EndpointSliceLister

	mu     sync.RWMutex
	served map[servicePort][]string
}

// servicePort is a port of the Service "namespace/name".
type servicePort struct {
	service string
	port    int
}

func newServices(client kubernetes.Interface) *services {
	factory := informers.NewSharedInformerFactory(client, 0)
	return &services{
		informers: factory,
		services:  factory.Core().V1().Services().Lister(),
		slices:    factory.Discovery().V1().EndpointSlices().Lister(),
		served:    map[servicePort][]string{},
	}
}

// Run watches Services and their endpoints until ctx ends.
func (s *services) Run(ctx context.Context) error {
	s.informers.StartWithContext(ctx)
	<-ctx.Done()
	s.informers.Shutdown()
	return nil
}

// synced says whether the first state of all that Run watches is there.
func (s *services) synced() bool {
	return s.informers.Core().V1().Services().Informer().HasSynced() && s.informers.Discovery().V1().EndpointSlices().Informer().HasSynced()
}

func (s *services) serve(service string, port int, addresses []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.served[servicePort{service, port}] = addresses
}

func (s *services) dial(ctx context.Context, network, address string) (net.Conn, error) {
	target, err := s.resolve(address)
	if err != nil {
		return nil, fmt.Errorf("dial %s %s: %w", network, address, err)
	}
	var dialer net.Dialer
	return dialer.DialContext(ctx, network, target)
}

// resolve turns an address of the cluster into one of this machine.
func (s *services) resolve(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return "", fmt.Errorf("port %q is no number between 0 and 65535", port)
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case err != nil:
		return s.resolveName(host, int(number))
	case netip.MustParsePrefix(serviceRange).Contains(ip):
		return s.resolveClusterIP(host, int(number))
	default:
		return net.JoinHostPort(loopback(ip).String(), port), nil
	}
}

func (s *services) resolveName(host string, port int) (string, error) {
	name, zone, _ := strings.Cut(strings.TrimSuffix(host, "."), ".")
	namespace, zone, _ := strings.Cut(zone, ".")
	if zone != "svc" && zone != "svc.cluster.local" {
		return "", fmt.Errorf("%q is neither an IP address nor of the form name.namespace.svc", host)
	}
	return s.endpoint(servicePort{namespace + "/" + name, port})
}

func (s *services) resolveClusterIP(ip string, port int) (string, error) {
	all, err := s.services.List(labels.Everything())
	if err != nil {
		return "", err
	}
	for _, service := range all {
		if service.Spec.ClusterIP == ip {
			return s.endpoint(servicePort{service.Namespace + "/" + service.Name, port})
		}
	}
	return "", fmt.Errorf("no Service has the cluster IP: %w", syscall.ECONNREFUSED)
}
