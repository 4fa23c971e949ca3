package injector

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/injector/interception"
	"github.com/osm-edge/osm/manifests/mesh"
)

// Interception is how the connections of a pod come to its sidecar.
type Interception string

const (
	// NFTables has osm-init make the kernel lead them there, unseen by the
	// application.
	NFTables Interception = "nftables"
	// NoInterception leaves it to the application to use its sidecar.
	NoInterception Interception = "none"
)

// dnsPort is where names are resolved, over TCP too (RFC 7766): by servers
// that are outside of the mesh, and before anything else works.
const dnsPort = 53

func (i Interception) check() error {
	if i != NFTables && i != NoInterception {
		return fmt.Errorf("interception %q: want %s or %s", i, NFTables, NoInterception)
	}
	return nil
}

// intercepted is what osm-init of a pod is told.
func intercepted(o overrides, interfaces []string) interception.Config {
	return interception.Config{
		UID: sidecarID,
		Inbound: interception.Inbound{
			Port: inboundPort,
			ExcludePorts: unionOfPorts(o.inboundPorts,
				[]uint16{inboundPort, metricsPort, livenessPort, readinessPort, startupPort, tcpProbePort}),
		},
		Outbound: interception.Outbound{
			Port:          outboundPort,
			ExcludePorts:  unionOfPorts(o.outboundPorts, []uint16{dnsPort}),
			ExcludeRanges: o.excludeRanges,
			IncludeRanges: o.includeRanges,
		},
		ExcludeInterfaces: interfaces,
	}
}

const (
	inboundPortsAnnotation  = "openservicemesh.io/inbound-port-exclusion-list"
	outboundPortsAnnotation = "openservicemesh.io/outbound-port-exclusion-list"
)

// ParsePorts reads a comma-separated list of TCP ports, such as "80, 443", and
// returns them in order, each once. An empty list has none. The error names the
// entry that is not a port from 1 to 65535.
func ParsePorts(list string) ([]uint16, error) {
	split, err := entries(list)
	if err != nil {
		return nil, err
	}
	var ports []uint16
	for _, entry := range split {
		port, err := strconv.ParseUint(entry, 10, 16)
		if err != nil || port == 0 {
			return nil, fmt.Errorf("%.64q is not a port: want numbers from 1 to 65535 with commas between them, such as 80,443", entry)
		}
		ports = append(ports, uint16(port))
	}
	return unionOfPorts(ports), nil
}

// unionOfPorts are the ports of all lists in order, each once.
func unionOfPorts(lists ...[]uint16) []uint16 {
	all := slices.Concat(lists...)
	slices.Sort(all)
	return slices.Compact(all)
}

// annotatedPorts adds the ports of an annotation to the mesh-wide ones.
func annotatedPorts(annotations map[string]string, key string, meshWide []uint16) ([]uint16, error) {
	ports, err := ParsePorts(annotations[key])
	switch {
	case err != nil:
		return nil, fmt.Errorf("annotation %s: %w", key, err)
	case len(ports) == 0:
		return meshWide, nil
	}
	return unionOfPorts(meshWide, ports), nil
}

const (
	excludedRangesAnnotation = "openservicemesh.io/outbound-ip-range-exclusion-list"
	includedRangesAnnotation = "openservicemesh.io/outbound-ip-range-inclusion-list"
)

// ParseRanges reads a comma-separated list of IPv4 and IPv6 ranges in CIDR
// notation, such as "10.0.0.0/8, fd00::/8". It returns them in order and in
// their canonical form, without those that lie within others. An empty list has
// none. The error names the entry that is not a range, and what to write.
func ParseRanges(list string) ([]netip.Prefix, error) {
	split, err := entries(list)
	if err != nil {
		return nil, err
	}
	var ranges []netip.Prefix
	for _, entry := range split {
		r, err := interception.ParseRange(entry)
		if err != nil {
			return nil, fmt.Errorf("%.64q is %w", entry, err)
		}
		ranges = append(ranges, r)
	}
	return unionOfRanges(ranges), nil
}

// unionOfRanges are the canonical ranges of all lists in order, without those
// that lie within others: nothing is gained by them, and the kernel takes no
// overlaps in a set of intervals.
func unionOfRanges(lists ...[]netip.Prefix) []netip.Prefix {
	all := slices.Concat(lists...)
	// A range comes right before those that lie within it.
	slices.SortFunc(all, netip.Prefix.Compare)
	var last netip.Prefix
	return slices.DeleteFunc(all, func(r netip.Prefix) bool {
		if last.Overlaps(r) {
			return true
		}
		last = r
		return false
	})
}

// annotatedRanges adds the ranges of an annotation to the mesh-wide ones.
func annotatedRanges(annotations map[string]string, key string, meshWide []netip.Prefix) ([]netip.Prefix, error) {
	ranges, err := ParseRanges(annotations[key])
	switch {
	case err != nil:
		return nil, fmt.Errorf("annotation %s: %w", key, err)
	case len(ranges) == 0:
		return meshWide, nil
	}
	return unionOfRanges(meshWide, ranges), nil
}

// HTTPPortsAnnotation declares ports of the pod to be HTTP, beside those whose
// name says so.
const HTTPPortsAnnotation = "openservicemesh.io/http-port-list"

// maxHTTPPorts keeps a Bootstrap far within maxBootstrapBytes.
const maxHTTPPorts = 1024

// annotatedHTTPPorts are those of the annotation. To declare a port of the
// sidecar is a mistake: nothing that comes to it reaches the application.
func annotatedHTTPPorts(annotations map[string]string) ([]uint16, error) {
	ports, err := annotatedPorts(annotations, HTTPPortsAnnotation, nil)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(ports, isSidecarPort); i >= 0 {
		return nil, fmt.Errorf("annotation %s: the sidecar listens on port %d: have the application listen on another, or take the port out of the list",
			HTTPPortsAnnotation, ports[i])
	}
	return ports, nil
}

// declaredHTTP are the ports of the application that pod, which is without a
// sidecar, declares HTTP by their names, and those of its annotation.
func declaredHTTP(pod *corev1.Pod, annotated []uint16) ([]uint16, error) {
	ports := unionOfPorts(annotated, NamedHTTP(pod))
	if len(ports) > maxHTTPPorts {
		return nil, fmt.Errorf("it declares %d ports HTTP: at most %d are taken: give the others names that do not begin with http or grpc", len(ports), maxHTTPPorts)
	}
	return ports, nil
}

// NamedHTTP returns, in order, the ports that the containers of a pod declare
// HTTP by their names. Those of the sidecar are none of them.
func NamedHTTP(pod *corev1.Pod) []uint16 {
	var ports []uint16
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			for j := range containers[i].Ports {
				if number, is := httpPort(&containers[i].Ports[j]); is {
					ports = append(ports, number)
				}
			}
		}
	}
	return unionOfPorts(ports)
}

func httpPort(port *corev1.ContainerPort) (uint16, bool) {
	number := uint16(port.ContainerPort)
	return number, (port.Protocol == "" || port.Protocol == corev1.ProtocolTCP) &&
		number > 0 && int32(number) == port.ContainerPort && mesh.IsHTTP(nil, port.Name)
}
