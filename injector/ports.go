package injector

import (
	"fmt"
	"slices"
	"strconv"
)

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
