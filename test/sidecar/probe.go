package sidecar

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/osm-edge/osm/injector"
)

// probes answers what the kubelet asks the application by way of the port, and
// nothing else.
func (s *Sidecar) probes(port uint16) http.Handler {
	byPath := map[string]injector.Probe{}
	for _, probe := range s.options.Bootstrap.Probes {
		if probe.Port == port {
			byPath[probe.Path] = probe
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		probe, ok := byPath[r.URL.Path]
		switch {
		case !ok:
			http.NotFound(w, r)
			return
		case r.Method != http.MethodGet:
			w.Header().Set("Allow", http.MethodGet)
			http.Error(w, "a probe is asked by GET", http.StatusMethodNotAllowed)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), time.Duration(probe.TimeoutSeconds)*time.Second)
		defer cancel()
		s.probe(ctx, w, r, probe)
	})
}

func (s *Sidecar) probe(ctx context.Context, w http.ResponseWriter, r *http.Request, probe injector.Probe) {
	target := netip.AddrPortFrom(askedAddress(r), probe.Target)
	var err error
	switch probe.Kind {
	case injector.TCPProbe:
		err = s.probeTCP(ctx, target)
	case injector.GRPCProbe:
		err = s.probeGRPC(ctx, target, probe.Service)
	default:
		s.probeHTTP(ctx, w, r, probe, target)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	}
}

// askedAddress is the pod's that the kubelet asks.
func askedAddress(r *http.Request) netip.Addr {
	address, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if !ok {
		return netip.IPv4Unspecified()
	}
	return address.AddrPort().Addr().Unmap()
}

func (s *Sidecar) probeTCP(ctx context.Context, target netip.AddrPort) error {
	conn, err := s.dialApplication(ctx, target)
	if err != nil {
		return err
	}
	return conn.Close()
}

// probeGRPC asks by the gRPC health checking protocol.
func (s *Sidecar) probeGRPC(ctx context.Context, target netip.AddrPort, service string) error {
	conn, err := grpc.NewClient("passthrough:///"+target.String(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return s.dialApplication(ctx, target) }))
	if err != nil {
		return err
	}
	defer conn.Close() // nothing is lost with it
	answer, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{Service: service})
	if err != nil {
		return err
	}
	if status := answer.GetStatus(); status != healthpb.HealthCheckResponse_SERVING {
		return errors.New("the application says " + status.String())
	}
	return nil
}
