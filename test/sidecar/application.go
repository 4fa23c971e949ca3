package sidecar

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/osm-edge/osm/injector"
)

const dialTimeout = 10 * time.Second

// dialApplication connects to the port of the pod at the address that the caller
// asked for: what listens on loopback only is not for others.
func (s *Sidecar) dialApplication(ctx context.Context, asked netip.AddrPort) (net.Conn, error) {
	if s.isOwn(asked.Port()) {
		return nil, fmt.Errorf("port %d is the sidecar's own", asked.Port())
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var dialer net.Dialer
	if s.options.Application != "" {
		return dialer.DialContext(ctx, "tcp", s.options.Application)
	}
	return dialer.DialContext(ctx, "tcp", asked.String())
}

// isOwn keeps callers from what listens on loopback because they may not use
// it, and from calling the sidecar in a circle. The ports are those that the
// mesh keeps for sidecars, whether this one listens there or not, and those of
// its bootstrap config.
func (s *Sidecar) isOwn(port uint16) bool {
	b := s.options.Bootstrap
	own := slices.Concat(b.Inbound.Listen, b.Outbound.Listen, b.Admin.Listen, b.Readiness.Listen, b.Metrics.Listen)
	return port >= 15000 && port <= 15010 || port >= 15901 && port <= 15904 ||
		slices.ContainsFunc(own, func(address string) bool { return portOf(address) == port }) ||
		slices.ContainsFunc(b.Probes, func(p injector.Probe) bool { return p.Port == port })
}
