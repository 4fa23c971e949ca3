package injector

import (
	"fmt"

	"github.com/osm-edge/osm/injector/interception"
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
