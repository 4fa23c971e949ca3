package survey

import (
	"context"
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/sds/destination"
)

// exposure is what Services and Ingresses of a namespace say of the ports of its
// pods.
type exposure struct {
	declared *destination.Ports // by the rule of osm-controller
	services map[string]*corev1.Service
	ingress  map[backend]string // the name of one that leads there
	slices   map[netip.Addr][]*discoveryv1.EndpointSlice
}

// backend is a port of a Service, by name or by number.
type backend struct {
	service string
	port    networkingv1.ServiceBackendPort
}

func newExposure() *exposure {
	return &exposure{
		declared: destination.NewPorts(nil),
		services: map[string]*corev1.Service{},
		ingress:  map[backend]string{},
		slices:   map[netip.Addr][]*discoveryv1.EndpointSlice{},
	}
}

// exposed reads the Services, EndpointSlices and Ingresses of a namespace.
func (s *Survey) exposed(ctx context.Context, namespace string) (*exposure, error) {
	e := newExposure()
	services, err := s.Kube.CoreV1().Services(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list services: %w", err)
	}
	for i := range services.Items {
		e.services[services.Items[i].Name] = &services.Items[i]
	}
	endpoints, err := s.Kube.DiscoveryV1().EndpointSlices(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list endpointslices: %w", err)
	}
	for i := range endpoints.Items {
		e.addSlice(&endpoints.Items[i])
	}
	ingresses, err := s.Kube.NetworkingV1().Ingresses(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list ingresses: %w", err)
	}
	for i := range ingresses.Items {
		e.addIngress(&ingresses.Items[i])
	}
	return e, nil
}

func (e *exposure) addSlice(slice *discoveryv1.EndpointSlice) {
	e.declared.SetEndpointSlice(slice)
	for _, endpoint := range slice.Endpoints {
		for _, ip := range endpoint.Addresses {
			if address, err := netip.ParseAddr(ip); err == nil {
				e.slices[address.Unmap()] = append(e.slices[address.Unmap()], slice)
			}
		}
	}
}

func (e *exposure) addIngress(ingress *networkingv1.Ingress) {
	lead := func(to *networkingv1.IngressBackend) {
		if to != nil && to.Service != nil {
			e.ingress[backend{to.Service.Name, to.Service.Port}] = ingress.Name
		}
	}
	lead(ingress.Spec.DefaultBackend)
	for _, rule := range ingress.Spec.Rules {
		if rule.HTTP == nil {
			continue
		}
		for i := range rule.HTTP.Paths {
			lead(&rule.HTTP.Paths[i].Backend)
		}
	}
}
