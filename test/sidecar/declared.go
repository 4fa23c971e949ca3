package sidecar

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
)

// httpPortsName is the secret that lists ports of the pod that Services declare
// HTTP. The bootstrap config has those that the pod declares itself.
const httpPortsName = "http-ports"

// declared are the ports that the control plane says are HTTP: none before it
// has. What it said last counts while it is away.
type declared struct {
	mu    sync.Mutex
	ports []uint16
	// leftOut says that the last stream did not ask, because the one before was
	// refused for it, as by a control plane that knows of no such secret.
	leftOut bool
}

// isHTTP reports whether what comes to a port of the application has to be HTTP.
func (s *Sidecar) isHTTP(port uint16) bool {
	s.declared.mu.Lock()
	defer s.declared.mu.Unlock()
	return slices.Contains(s.options.Bootstrap.HTTPPorts, port) || slices.Contains(s.declared.ports, port)
}

// take keeps what resources say of ports.
func (d *declared) take(resources []*anypb.Any) error {
	for _, resource := range resources {
		secret := &tlsv3.Secret{}
		if err := resource.UnmarshalTo(secret); err != nil {
			return fmt.Errorf("a resource is not a secret: %w", err)
		}
		if secret.GetName() != httpPortsName {
			continue
		}
		list := secret.GetGenericSecret().GetSecret()
		ports, err := parsePorts(list.GetInlineString() + string(list.GetInlineBytes()))
		if err != nil {
			return fmt.Errorf("secret %s: %w", httpPortsName, err)
		}
		d.mu.Lock()
		d.ports = ports
		d.mu.Unlock()
	}
	return nil
}

// parsePorts reads decimal numbers with commas between them.
func parsePorts(list string) (ports []uint16, err error) {
	if list == "" {
		return nil, nil
	}
	for text := range strings.SplitSeq(list, ",") {
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil || port == 0 || text[0] == '0' {
			return nil, fmt.Errorf("%.20q is not a port", text)
		}
		ports = append(ports, uint16(port))
	}
	return ports, nil
}

// names are what to ask for.
func (d *declared) names() []string {
	if d.leftOut {
		return nil
	}
	return []string{httpPortsName}
}

// refused reports whether a stream that brought nothing may have ended because
// it asked. The next does not, so that a sidecar gets its certificate from a
// control plane of any version; the one after that asks again.
func (d *declared) refused(err error, brought bool) bool {
	d.leftOut = !d.leftOut && !brought && status.Code(err) == codes.InvalidArgument
	return d.leftOut
}
