package cluster

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
)

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
	return "", fmt.Errorf("the Service %s/%s has no port %d: %w", service.Namespace, service.Name, number, syscall.ECONNREFUSED)
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
