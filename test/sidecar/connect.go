package sidecar

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/osm-edge/osm/issuer"
)

// connect opens a connection to the SDS server with the token and the roots
// that the pod has now. Both change while it runs.
func (o Options) connect(pushed issuer.TrustBundle) (*grpc.ClientConn, error) {
	sds := o.Bootstrap.SDS
	token, err := o.ReadFile(sds.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("read the token: %w", err)
	}
	ca, err := o.ReadFile(sds.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read the roots of the control plane: %w", err)
	}
	mounted, err := issuer.ParseTrustBundle(ca)
	if err != nil {
		return nil, fmt.Errorf("parse the roots of the control plane in %s: %w", sds.CAFile, err)
	}
	return grpc.NewClient("passthrough:///"+sds.Address,
		grpc.WithTransportCredentials(credentials.NewTLS(serverTLS(sds.ServerName, sds.ServerIdentity, mounted.Union(pushed)))),
		grpc.WithPerRPCCredentials(bearer(bytes.TrimSpace(token))),
		grpc.WithContextDialer(o.Dial),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 20 * time.Second}),
	)
}

// serverTLS trusts the one server that has both the name and the SPIFFE ID.
func serverTLS(name, identity string, roots issuer.TrustBundle) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		ServerName: name,
		RootCAs:    roots.Pool(),
		VerifyConnection: func(c tls.ConnectionState) error {
			return verifyIdentity(c.PeerCertificates, identity)
		},
	}
}

// verifyIdentity is for chains that crypto/tls has verified.
func verifyIdentity(chain []*x509.Certificate, want string) error {
	if len(chain) == 0 {
		return errors.New("the peer presented no certificate")
	}
	id, err := identityOf(chain[0])
	if err != nil {
		return err
	}
	if id.String() != want {
		return fmt.Errorf("the peer is %s, not %s", id, want)
	}
	return nil
}

// bearer is the pod's token. gRPC refuses to send it over anything but TLS.
type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

func (bearer) RequireTransportSecurity() bool { return true }
