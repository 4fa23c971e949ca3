package sidecar

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/osm-edge/osm/issuer/trustbundle"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
)

// connect opens a connection to the SDS server at one of its addresses, with the
// token and the roots that the pod has now. Both change while it runs. proven is
// called when what answers there has proved that it is the server.
func (o Options) connect(address string, pushed trustbundle.TrustBundle, proven func()) (*grpc.ClientConn, error) {
	sds := o.Bootstrap.SDS
	token, err := o.ReadFile(sds.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("read the token: %w", err)
	}
	ca, err := o.ReadFile(sds.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read the roots of the control plane: %w", err)
	}
	mounted, err := trustbundle.Parse(ca)
	if err != nil {
		return nil, fmt.Errorf("parse the roots of the control plane in %s: %w", sds.CAFile, err)
	}
	return grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(credentials.NewTLS(serverTLS(sds.ServerName, sds.ServerIdentity, mounted.Union(pushed), proven))),
		grpc.WithPerRPCCredentials(bearer(bytes.TrimSpace(token))),
		grpc.WithContextDialer(o.Dial),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 20 * time.Second}),
	)
}

// serverTLS trusts the one server that has both the name and the SPIFFE ID, and
// calls proven when there is one that has.
func serverTLS(name, identity string, roots trustbundle.TrustBundle, proven func()) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		ServerName: name,
		RootCAs:    roots.Pool(),
		VerifyConnection: func(c tls.ConnectionState) error {
			err := verifyIdentity(c.PeerCertificates, identity)
			if err == nil {
				proven()
			}
			return err
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
