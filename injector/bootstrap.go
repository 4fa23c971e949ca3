package injector

import (
	"errors"
	"fmt"
	"net"
	"strconv"

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

// Probe is a question of the kubelet's (a probe or a lifecycle hook) that the
// sidecar passes on to the application, at the address that it was asked at, and
// answers as the application does. It is the one thing that reaches the application without
// mutual TLS, so it is this question only: GET, this path, no other.
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
