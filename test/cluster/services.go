package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
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

// endpoint chooses one of those who answer for the Service, as kube-proxy does: at random among the ready.
func (s *services) endpoint(p servicePort) (string, error) {
	s.mu.RLock()
	addresses := s.served[p]
	s.mu.RUnlock()
	if len(addresses) == 0 {
		var err error
		if addresses, err = s.endpoints(p); err != nil {
			return "", err
		}
	}
	if len(addresses) == 0 {
		return "", fmt.Errorf("port %d of Service %s has no ready endpoint: %w", p.port, p.service, syscall.ECONNREFUSED)
	}
	return addresses[rand.IntN(len(addresses))], nil
}

// endpoints are the addresses on this machine of the Service's ready endpoints.
func (s *services) endpoints(p servicePort) ([]string, error) {
	namespace, name, _ := strings.Cut(p.service, "/")
	service, err := s.services.Services(namespace).Get(name)
	if err != nil {
		return nil, err
	}
	port, err := findPort(service, p.port)
	if err != nil {
		return nil, err
	}
	slices, err := s.slices.EndpointSlices(namespace).List(labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: name}))
	if err != nil {
		return nil, err
	}
	var addresses []string
	for _, slice := range slices {
		addresses = append(addresses, readyAddresses(slice, port)...)
	}
	return addresses, nil
}

// findPort is the name of the Service's port, by which its endpoints know it.
func findPort(service *corev1.Service, number int) (string, error) {
	for _, port := range service.Spec.Ports {
		if int(port.Port) == number {
			return port.Name, nil
		}
	}
	return "", fmt.Errorf("port %[3]d is none of Service %[1]s/%[2]s: %[4]w", service.Namespace, service.Name, number, syscall.ECONNREFUSED)
}

func readyAddresses(slice *discoveryv1.EndpointSlice, name string) []string {
	var found []string
	for _, port := range slice.Ports {
		if port.Name == nil || *port.Name != name || port.Port == nil {
			continue
		}
		for _, endpoint := range slice.Endpoints {
			if ready := endpoint.Conditions.Ready; ready != nil && !*ready {
				continue
			}
			for _, address := range endpoint.Addresses {
				ip, err := netip.ParseAddr(address)
				if err != nil {
					continue // an endpoint that is a name
				}
				found = append(found, netip.AddrPortFrom(loopback(ip), uint16(*port.Port)).String())
			}
		}
	}
	return found
}
