//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/test/mesh"
)

const (
	inboundPort = 15003
	day         = 24 * time.Hour
)

// connect connects to the server at the address, if it has a certificate of the
// mesh's root for the name, and without one of its own.
func (tr *trial) connect(ctx context.Context, address, name string) (*tls.Conn, error) {
	raw, err := tr.node.Dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(tr.root)
	conn := tls.Client(raw, &tls.Config{MinVersion: tls.VersionTLS13, ServerName: name, RootCAs: roots})
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("TLS with %s at %s: %w", name, address, err), raw.Close())
	}
	return conn, nil
}

// presented returns the certificate of the server at the address. With TLS 1.3
// a client has it before the server asks for the client's (RFC 8446, 2).
func (tr *trial) presented(ctx context.Context, address, name string) (*x509.Certificate, error) {
	conn, err := tr.connect(ctx, address, name)
	if err != nil {
		return nil, err
	}
	leaf := conn.ConnectionState().PeerCertificates[0]
	if leaf.Subject.CommonName != name {
		err = fmt.Errorf("%s presents the certificate of %s", address, leaf.Subject)
	}
	return leaf, errors.Join(err, conn.NetConn().Close())
}

func (tr *trial) checkSidecars(ctx context.Context) error {
	return errors.Join(tr.checkSidecar(ctx, tr.buyer, buyerID), tr.checkSidecar(ctx, tr.store, storeID))
}

func (tr *trial) checkSidecar(ctx context.Context, pod *corev1.Pod, id string) error {
	leaf, err := tr.presented(ctx, addressOf(pod, meshPort), commonName(pod))
	if err != nil {
		return err
	}
	left := time.Until(leaf.NotAfter)
	if len(leaf.URIs) != 1 || leaf.URIs[0].String() != id || left > day || left < day-stepTimeout {
		return wrongAnswer{fmt.Errorf("the sidecar of %s has a certificate of %v for %s, not of %s for a day", pod.Name, leaf.URIs, left, id)}
	}
	return nil
}

func commonName(pod *corev1.Pod) string {
	return pod.Spec.ServiceAccountName + "." + pod.Namespace + ".cluster.local"
}

func (tr *trial) checkAnonymous(ctx context.Context) error {
	return tr.anonymous(ctx, addressOf(tr.store, meshPort))
}

// anonymous asks for what the store sells, without a certificate. The sidecar is
// to end the connection, with an alert or without one, and answer nothing.
func (tr *trial) anonymous(ctx context.Context, address string) error {
	conn, err := tr.connect(ctx, address, commonName(tr.store))
	if err != nil {
		return err
	}
	defer conn.NetConn().Close() // the sidecar is done with it
	if err := conn.SetDeadline(time.Now().Add(attemptTimeout)); err != nil {
		return err
	}
	_, sent := io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n") // it may have ended already
	answer, err := io.ReadAll(conn)
	if len(answer) > 0 {
		return wrongAnswer{fmt.Errorf("a client without certificate is answered %q", answer)}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("the connection of a client without certificate stays open for %s: %w", attemptTimeout, errors.Join(sent, err))
	}
	return nil
}

// checkWebhooks waits for the webhooks to take up their new certificates.
func (tr *trial) checkWebhooks(ctx context.Context) error {
	for service, port := range map[string]string{"osm-injector": "9090", "osm-validator": "9093", "osm-bootstrap": "9443"} {
		host := service + "." + mesh.Namespace + ".svc"
		err := await(ctx, func(ctx context.Context) error {
			leaf, err := tr.presented(ctx, net.JoinHostPort(host, port), host)
			if err == nil && time.Until(leaf.NotAfter) < 3649*day {
				err = fmt.Errorf("%s has a certificate until %s, not for ten years", service, leaf.NotAfter)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
