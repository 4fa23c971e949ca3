package survey

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/osm-edge/osm/cmd/internal/check"
	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/injector/interception"
	"github.com/osm-edge/osm/manifests/mesh"
)

// portsOf gathers what is known of the ports of a pod that has a sidecar and is
// intercepted.
type portsOf struct {
	excluded []uint16
	known    map[uint16]*check.Port
	// other are ports that a Service gives another protocol than HTTP.
	other map[uint16]bool
}

// describe adds what is known of a pod's ports; nothing of one that is not
// intercepted, for then the sidecar takes HTTP alone.
func (e *exposure) describe(pod *corev1.Pod, one *check.Pod) {
	excluded, intercepted := exclusions(pod)
	if !one.Sidecar || !intercepted || ended(pod) {
		return
	}
	p := &portsOf{excluded, map[uint16]*check.Port{}, map[uint16]bool{}}
	bootstrap := bootstrapOf(pod)
	for _, number := range slices.Concat(e.declared.OfPod(pod), bootstrap.HTTPPorts) {
		p.at(number).Declared = true
	}
	for _, number := range slices.Concat(injector.NamedHTTP(pod), annotated(pod)) {
		p.at(number).Named = true
		p.is(number, "the pod declares it")
	}
	p.probes(bootstrap.Probes)
	p.scraped(pod.Annotations)
	p.named(pod)
	e.served(pod, p)
	one.Intercepted, one.Ports = true, p.list()
}

// exclusions are the ports that connections go to past the sidecar, the sidecar's
// own among them. What osm-init of another version is told may have other
// fields.
func exclusions(pod *corev1.Pod) (excluded []uint16, intercepted bool) {
	for _, container := range pod.Spec.InitContainers {
		if container.Name != mesh.InitContainer || len(container.Args) == 0 {
			continue
		}
		var config interception.Config
		err := json.Unmarshal([]byte(container.Args[0]), &config)
		return config.Inbound.ExcludePorts, err == nil
	}
	return nil, false
}

// bootstrapOf is what the sidecar was told. That of another version may have
// other fields.
func bootstrapOf(pod *corev1.Pod) (b injector.Bootstrap) {
	if json.Unmarshal([]byte(pod.Annotations[injector.BootstrapAnnotation]), &b) != nil {
		return injector.Bootstrap{}
	}
	return b
}

func annotated(pod *corev1.Pod) []uint16 {
	ports, err := injector.ParsePorts(pod.Annotations[injector.HTTPPortsAnnotation])
	if err != nil {
		return nil // the pod was changed since
	}
	return ports
}

func (p *portsOf) at(number uint16) *check.Port {
	if p.known[number] == nil {
		p.known[number] = &check.Port{Number: number}
	}
	return p.known[number]
}

// is notes how a port is known to be HTTP.
func (p *portsOf) is(number uint16, clause string, args ...any) {
	at := p.at(number)
	at.HTTP = append(at.HTTP, fmt.Sprintf(clause, args...))
}

// list leaves out the ports that are not intercepted, and what was guessed of
// those that a Service says more of.
func (p *portsOf) list() (all []check.Port) {
	for _, number := range slices.Sorted(maps.Keys(p.known)) {
		port := *p.known[number]
		if slices.Contains(p.excluded, number) || number == 0 {
			continue
		}
		if p.other[number] {
			port.HTTP = nil
		}
		all = append(all, port)
	}
	return all
}

func (p *portsOf) probes(probes []injector.Probe) {
	for _, probe := range probes {
		switch probe.Kind {
		case injector.HTTPProbe:
			p.is(probe.Target, "a probe or hook asks it by HTTP")
		case injector.GRPCProbe:
			p.is(probe.Target, "a probe asks it by gRPC")
		}
	}
}

func (p *portsOf) scraped(annotations map[string]string) {
	number, err := strconv.ParseUint(annotations["prometheus.io/port"], 10, 16)
	if err == nil && annotations["prometheus.io/scrape"] == "true" && annotations["prometheus.io/scheme"] != "https" {
		p.is(uint16(number), "the pod's annotations have Prometheus scrape it")
	}
}

func (p *portsOf) named(pod *corev1.Pod) {
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		for _, port := range container.Ports {
			if (port.Protocol == "" || port.Protocol == corev1.ProtocolTCP) && soundsHTTP(port.Name) {
				p.is(uint16(port.ContainerPort), "container %s names it %s", container.Name, port.Name)
			}
		}
	}
}

// served notes what the Services that lead to the pod say of its ports.
func (e *exposure) served(pod *corev1.Pod, p *portsOf) {
	for _, ip := range pod.Status.PodIPs {
		address, err := netip.ParseAddr(ip.IP)
		if err != nil {
			continue
		}
		for _, slice := range e.slices[address.Unmap()] {
			for _, port := range slice.Ports {
				e.servedBy(e.services[slice.Labels[discoveryv1.LabelServiceName]], port, p)
			}
		}
	}
}

func (e *exposure) servedBy(service *corev1.Service, port discoveryv1.EndpointPort, p *portsOf) {
	if service == nil || port.Port == nil || port.Protocol != nil && *port.Protocol != corev1.ProtocolTCP {
		return
	}
	number, name := uint16(*port.Port), ""
	if port.Name != nil {
		name = *port.Name
	}
	if port.AppProtocol != nil && !mesh.IsHTTP(port.AppProtocol, "") {
		p.other[number] = true
		return
	}
	if soundsHTTP(name) {
		p.is(number, "Service %s names it %s", service.Name, name)
	}
	i := slices.IndexFunc(service.Spec.Ports, func(s corev1.ServicePort) bool { return s.Name == name })
	if i < 0 {
		return
	}
	if at := service.Spec.Ports[i].Port; (at == 80 || at == 8080) && (name == "" || soundsHTTP(name)) {
		p.is(number, "Service %s has it as port %d", service.Name, at)
	}
	for _, as := range []networkingv1.ServiceBackendPort{{Name: name}, {Number: service.Spec.Ports[i].Port}} {
		if ingress, ok := e.ingress[backend{service.Name, as}]; ok {
			p.is(number, "Ingress %s leads to it", ingress)
		}
	}
}

// soundsHTTP reports whether a word of a port's name is about HTTP, and none
// about TLS. Names that declare a port HTTP begin with one.
func soundsHTTP(name string) bool {
	words := strings.Split(name, "-")
	about := func(names ...string) bool {
		return slices.ContainsFunc(words, func(word string) bool { return slices.Contains(names, word) })
	}
	return about("http", "http2", "h2c", "grpc", "web", "www") && !about("https", "tls", "ssl", "wss")
}
