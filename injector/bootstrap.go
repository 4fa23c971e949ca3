package injector

import (
	"errors"
	"fmt"

	kjson "sigs.k8s.io/json"
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
	// SDS says how to get certificates.
	SDS SDS `json:"sds"`
	// Inbound takes the mTLS connections of peers.
	Inbound Listener `json:"inbound"`
	// Outbound takes the application's connections, to make them mTLS.
	Outbound Listener `json:"outbound"`
	// Admin serves what an operator asks for, such as /certs.
	Admin Listener `json:"admin"`
	// Readiness serves the kubelet /ready, which is 200 while the sidecar
	// holds a valid certificate and the roots to verify peers with.
	Readiness Listener `json:"readiness"`
}

// SDS is how a sidecar gets its certificate and the roots it trusts.
type SDS struct {
	// Address of the SDS server, host:port.
	Address string `json:"address"`
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
	// Listen is <ip>:<port>; without an ip, every address of the pod, IPv4
	// and IPv6.
	Listen string `json:"listen"`
}

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

// newBootstrap is what the proxy of an identity is told.
func newBootstrap(config *Config, id identity, proxy string) Bootstrap {
	return Bootstrap{
		Mesh:        config.settings.MeshName,
		TrustDomain: config.settings.TrustDomain,
		Proxy:       proxy,
		Identity:    id.spiffeID.String(),
		LogLevel:    config.settings.LogLevel,
		SDS: SDS{
			Address:        config.settings.SDSAddress,
			ServerName:     config.controller.commonName(),
			ServerIdentity: config.controller.spiffeID.String(),
			TokenFile:      tokenFile,
			CAFile:         caFile,
			Certificate:    id.certificateName(),
			Validation:     id.validationName(),
		},
		Inbound:   Listener{fmt.Sprintf(":%d", inboundPort)},
		Outbound:  Listener{fmt.Sprintf("127.0.0.1:%d", outboundPort)},
		Admin:     Listener{fmt.Sprintf("127.0.0.1:%d", adminPort)},
		Readiness: Listener{fmt.Sprintf(":%d", readinessPort)},
	}
}
