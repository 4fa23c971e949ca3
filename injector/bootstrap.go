package injector

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"golang.org/x/net/http/httpguts"
	kjson "sigs.k8s.io/json"

	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/manifests/mesh"
)

const (
	// BootstrapAnnotation holds a pod's Bootstrap, as JSON.
	BootstrapAnnotation = "openservicemesh.io/sidecar-bootstrap"
	// BootstrapFile is where the sidecar reads it.
	BootstrapFile = identityDirectory + "/bootstrap.json"
)

// maxBootstrapBytes is many times what a Bootstrap needs, and bounds what a
// sidecar parses.
const maxBootstrapBytes = 64 << 10

// Bootstrap is all that a sidecar is told before it talks to the control
// plane. It holds no secret.
type Bootstrap struct {
	// Mesh is the mesh's name.
	Mesh string `json:"mesh"`
	// TrustDomain of the mesh's identities.
	TrustDomain string `json:"trustDomain"`
	// Proxy is the proxy's id, a UUID: the pod's label osm-proxy-uuid.
	Proxy string `json:"proxy"`
	// Identity is the SPIFFE ID that the sidecar gets a certificate for.
	Identity string `json:"identity"`
	// LogLevel is debug, info, warn or error.
	LogLevel string `json:"logLevel"`
	// Interception is how connections come to the sidecar. It is never guessed
	// from a connection: where they are intercepted, one that has no original
	// destination was not, and is refused.
	Interception Interception `json:"interception"`
	// HTTPPorts are ports of the application that are declared HTTP, in order.
	// More come by SDS. What comes to one of them has to be HTTP, strictly.
	HTTPPorts []uint16 `json:"httpPorts,omitempty"`
	// SDS says how to get certificates.
	SDS SDS `json:"sds"`
	// Inbound takes the mTLS connections of peers.
	Inbound Listener `json:"inbound"`
	// Outbound takes the application's connections, to make them mTLS. It
	// listens on loopback only.
	Outbound Listener `json:"outbound"`
	// Admin serves what an operator asks for, such as /certs. It listens on
	// loopback only.
	Admin Listener `json:"admin"`
	// Readiness serves the kubelet /ready, which is 200 while the sidecar
	// holds a valid certificate and the roots to verify peers with. It takes
	// those Probes as well that are on its port.
	Readiness Listener `json:"readiness"`
	// Metrics serves /stats/prometheus.
	Metrics Listener `json:"metrics"`
	// Probes are what the kubelet asks the application through the sidecar,
	// because the application's own ports are open to verified peers only.
	Probes []Probe `json:"probes,omitempty"`
}

// SDS is how a sidecar gets its certificate and the roots it trusts.
type SDS struct {
	// Address of the SDS server, host:port.
	Address string `json:"address"`
	// Fallbacks are other addresses of it, host:port. They are tried in order
	// where Address does not lead to the server, be it that the pod's DNS does
	// not know the name. How the server is verified does not depend on it.
	Fallbacks []string `json:"fallbacks,omitempty"`
	// ServerName is a DNS SAN that the server's certificate must have.
	ServerName string `json:"serverName"`
	// ServerIdentity is the SPIFFE ID that it must have as well.
	ServerIdentity string `json:"serverIdentity"`
	// TokenFile holds the service-account token for the gRPC metadata
	// "authorization: Bearer <token>". It changes: read it at every connect.
	TokenFile string `json:"tokenFile"`
	// CAFile holds the roots that verify the server, PEM. It changes, too.
	CAFile string `json:"caFile"`
	// Certificate is the secret name of the sidecar's certificate and key.
	Certificate string `json:"certificate"`
	// Validation is the secret name of the roots that verify peers.
	Validation string `json:"validation"`
}

// Listener is where a sidecar accepts connections.
type Listener struct {
	// Listen are addresses of the form <ip>:<port>; without an ip, every
	// address of the pod, IPv4 and IPv6. An address of a family that the pod
	// does not have is passed over.
	Listen []string `json:"listen"`
}

// Probe is a probe or a lifecycle hook of the kubelet's that the
// sidecar passes on to the application, at the address that it was asked at, and
// answers as the application does. It is the one thing that reaches the application without
// mutual TLS, so it is this probe only: GET, this path, no other.
type Probe struct {
	// Port is the sidecar's that the kubelet asks, at every address of the pod.
	Port uint16 `json:"port"`
	// Path that the kubelet asks for, such as /osm/app/liveness.
	Path string `json:"path"`
	// Kind is http, https, tcp or grpc: how the application is asked.
	Kind ProbeKind `json:"kind"`
	// Target is the application's port.
	Target uint16 `json:"target"`
	// TargetPath is what the application is asked for, with its query, of http
	// and https.
	TargetPath string `json:"targetPath,omitempty"`
	// Headers are the names of the headers that the probe itself has, of http
	// and https. Of a client's other headers, the application gets those that the
	// kubelet always sends.
	Headers []string `json:"headers,omitempty"`
	// Service is the service of the gRPC health checking protocol, of grpc.
	Service string `json:"service,omitempty"`
	// TimeoutSeconds is when the kubelet gives up, in seconds.
	TimeoutSeconds int32 `json:"timeoutSeconds"`
}

// ProbeKind is how a sidecar asks the application.
type ProbeKind string

// The kinds of probes, as in Kubernetes.
const (
	// HTTPProbe passes on the kubelet's request and the application's answer.
	HTTPProbe ProbeKind = "http"
	// HTTPSProbe does so over TLS. As the kubelet does, it verifies no
	// certificate: what answers is in the pod itself, and nothing is made of who
	// it is.
	HTTPSProbe ProbeKind = "https"
	// TCPProbe is 200 if the port takes a connection, 503 otherwise.
	TCPProbe ProbeKind = "tcp"
	// GRPCProbe is 200 if grpc.health.v1.Health/Check says SERVING, 503
	// otherwise.
	GRPCProbe ProbeKind = "grpc"
)

// ParseBootstrap reads a Bootstrap strictly: unknown, repeated and missing
// fields are errors, and so are values that contradict each other. The error
// names every field that is wrong.
func ParseBootstrap(data []byte) (Bootstrap, error) {
	if len(data) > maxBootstrapBytes {
		return Bootstrap{}, fmt.Errorf("sidecar bootstrap: %d bytes, at most %d are read", len(data), maxBootstrapBytes)
	}
	var bootstrap Bootstrap
	problems, err := kjson.UnmarshalStrict(data, &bootstrap)
	if err != nil {
		return Bootstrap{}, fmt.Errorf("sidecar bootstrap: %w", err)
	}
	if err := errors.Join(append(problems, bootstrap.check())...); err != nil {
		return Bootstrap{}, fmt.Errorf("sidecar bootstrap: %w", err)
	}
	return bootstrap, nil
}

// loopback stands for 127.0.0.1 and ::1, where the kernel leads what it
// intercepts of the pod's own connections.
const loopback = "localhost"

func listenOn(host string, port int) Listener {
	hosts := []string{host}
	if host == loopback {
		hosts = []string{"127.0.0.1", "::1"}
	}
	var l Listener
	for _, h := range hosts {
		l.Listen = append(l.Listen, net.JoinHostPort(h, strconv.Itoa(port)))
	}
	return l
}

// newBootstrap is what the proxy of an identity is told.
func newBootstrap(config *Config, id identity.Identity, proxy string) Bootstrap {
	return Bootstrap{
		Mesh:         config.settings.MeshName,
		TrustDomain:  config.settings.TrustDomain,
		Proxy:        proxy,
		Identity:     id.String(),
		LogLevel:     config.settings.LogLevel,
		Interception: config.settings.Interception,
		SDS: SDS{
			Address:        config.settings.SDSAddress,
			Fallbacks:      config.settings.SDSFallbacks,
			ServerName:     config.controller.CommonName(),
			ServerIdentity: config.controller.String(),
			TokenFile:      tokenFile,
			CAFile:         caFile,
			Certificate:    mesh.CertificateSecret(id.Namespace(), id.ServiceAccount()),
			Validation:     mesh.ValidationSecret(id.Namespace(), id.ServiceAccount()),
		},
		Inbound:   listenOn("", inboundPort),
		Outbound:  listenOn(loopback, outboundPort),
		Admin:     listenOn("127.0.0.1", adminPort),
		Readiness: listenOn("", readinessPort),
		Metrics:   listenOn("", metricsPort),
	}
}

// check tells what keeps a sidecar from working with b.
func (b Bootstrap) check() error {
	var problems []error
	report := func(field string, err error) {
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", field, err))
		}
	}
	report("mesh", checkPresent(b.Mesh))
	report("proxy", checkProxy(b.Proxy))
	report("logLevel", checkLogLevel(b.LogLevel))
	report("interception", b.Interception.check())
	report("httpPorts", checkHTTPPorts(b.HTTPPorts))
	report("identity", b.checkIdentity())
	report("sds.serverIdentity", b.checkServer())
	report("sds.address", checkAddress(b.SDS.Address))
	for i, address := range b.SDS.Fallbacks {
		report(fmt.Sprintf("sds.fallbacks[%d]", i), checkAddress(address))
	}
	report("sds.tokenFile", checkFile(b.SDS.TokenFile))
	report("sds.caFile", checkFile(b.SDS.CAFile))
	report("inbound.listen", b.Inbound.check())
	report("outbound.listen", b.Outbound.check())
	report("admin.listen", b.Admin.check())
	report("readiness.listen", b.Readiness.check())
	report("metrics.listen", b.Metrics.check())
	for i, probe := range b.Probes {
		report(fmt.Sprintf("probes[%d]", i), probe.check())
	}
	return errors.Join(problems...)
}

// checkIdentity holds the identity against everything that follows from it.
func (b Bootstrap) checkIdentity() error {
	id, err := identity.Parse(b.Identity)
	switch {
	case err != nil:
		return err
	case id.TrustDomain() != b.TrustDomain:
		return fmt.Errorf("%s is not of the trust domain %q", b.Identity, b.TrustDomain)
	case b.SDS.Certificate != mesh.CertificateSecret(id.Namespace(), id.ServiceAccount()):
		return fmt.Errorf("%s has no right to sds.certificate %q", b.Identity, b.SDS.Certificate)
	case b.SDS.Validation != mesh.ValidationSecret(id.Namespace(), id.ServiceAccount()):
		return fmt.Errorf("%s has no right to sds.validation %q", b.Identity, b.SDS.Validation)
	}
	return nil
}

func (b Bootstrap) checkServer() error {
	server, err := identity.Parse(b.SDS.ServerIdentity)
	switch {
	case err != nil:
		return err
	case server.TrustDomain() != b.TrustDomain:
		return fmt.Errorf("%s is not of the trust domain %q", b.SDS.ServerIdentity, b.TrustDomain)
	case b.SDS.ServerName != server.CommonName():
		return fmt.Errorf("%s is not named %q, as sds.serverName requires", b.SDS.ServerIdentity, b.SDS.ServerName)
	}
	return nil
}

func checkPresent(value string) error {
	if value == "" {
		return errors.New("missing")
	}
	return nil
}

// checkProxy takes the one canonical form of a UUID, for ids are compared as
// strings.
func checkProxy(proxy string) error {
	if id, err := uuid.Parse(proxy); err != nil || id.String() != proxy {
		return fmt.Errorf("%q is not a UUID in its canonical form", proxy)
	}
	return nil
}

// checkHTTPPorts wants one way to write a list: in order, each once.
func checkHTTPPorts(ports []uint16) error {
	for i, port := range ports {
		switch {
		case port == 0 || i > 0 && port <= ports[i-1]:
			return fmt.Errorf("%v are not ports in ascending order", ports)
		case isSidecarPort(port):
			return fmt.Errorf("port %d is the sidecar's", port)
		}
	}
	return nil
}

func checkFile(name string) error {
	if !path.IsAbs(name) || path.Clean(name) != name {
		return fmt.Errorf("%q is not an absolute path", name)
	}
	return nil
}

func (l Listener) check() error {
	if len(l.Listen) == 0 {
		return errors.New("missing")
	}
	for _, address := range l.Listen {
		if err := checkListen(address); err != nil {
			return err
		}
	}
	return nil
}

func (p Probe) check() error {
	http := p.Kind == HTTPProbe || p.Kind == HTTPSProbe
	switch {
	case p.Port == 0 || p.Target == 0:
		return errors.New("lacks port or target")
	case !strings.HasPrefix(p.Path, "/"):
		return fmt.Errorf("path %q does not begin with a slash", p.Path)
	case !http && p.Kind != TCPProbe && p.Kind != GRPCProbe:
		return fmt.Errorf("kind %q is not http, https, tcp or grpc", p.Kind)
	case http != strings.HasPrefix(p.TargetPath, "/"):
		return fmt.Errorf("targetPath %q does not go with kind %s", p.TargetPath, p.Kind)
	case len(p.Headers) > 0 && !http:
		return fmt.Errorf("headers do not go with kind %s", p.Kind)
	case slices.ContainsFunc(p.Headers, func(name string) bool { return !httpguts.ValidHeaderFieldName(name) }):
		return fmt.Errorf("headers: %q is not a list of header names", p.Headers)
	case p.Service != "" && p.Kind != GRPCProbe:
		return fmt.Errorf("service does not go with kind %s", p.Kind)
	case p.TimeoutSeconds < 1:
		return fmt.Errorf("timeoutSeconds %d is not positive", p.TimeoutSeconds)
	}
	return nil
}

func checkListen(listen string) error {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("%q: %w", listen, err)
	}
	if _, err := netip.ParseAddr(host); host != "" && err != nil {
		return fmt.Errorf("%q: %w", listen, err)
	}
	return checkPort(listen)
}

// checkPort wants a number: names of ports differ from image to image.
func checkPort(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q: %w", address, err)
	}
	if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
		return fmt.Errorf("%q: port %q is not a number from 1 to 65535", address, port)
	}
	return nil
}
