package sds_test

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	secretv3 "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/issuertest"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/sds"
	"github.com/osm-edge/osm/test/testkit"
)

var _ sds.Source = (*issuer.Manager)(nil)

const serverName = "osm-controller.osm-system.cluster.local"

// mesh is a control plane: a Manager with a root, and an SDS server.
type mesh struct {
	t            testing.TB
	cluster      *cluster
	manager      *issuer.Manager
	signing      *tresor.CA
	destinations sds.Destinations
	trusted      trustbundle.TrustBundle // beside the signing root
	registry     *prometheus.Registry
	server       *sds.Server
	listener     net.Listener
	limits       sds.Limits
	skew         time.Duration
	log          io.Writer // io.Discard when nil
	dial         func(context.Context, string) (net.Conn, error)
	stop         func() error // ends everything and waits
}

func identityOf(t testing.TB, namespace, account string) identity.Identity {
	t.Helper()
	id, err := identity.New("cluster.local", namespace, account)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func newMesh(t testing.TB) *mesh {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return newMeshOn(t, listener, 0)
}

func newMeshOn(t testing.TB, listener net.Listener, skew time.Duration) *mesh {
	t.Helper()
	m := &mesh{t: t, cluster: newCluster(t), listener: listener, skew: skew}
	m.dial = func(ctx context.Context, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", listener.Addr().String())
	}
	m.start(m.cluster.attestor(), issuer.Options{})
	return m
}

func (m *mesh) start(attestor sds.Attestor, o issuer.Options) {
	m.t.Helper()
	m.manager = issuer.NewManager(o)
	m.newRoot()
	m.registry = prometheus.NewRegistry()
	server, err := sds.New(sds.Options{
		Listener:       m.listener,
		Source:         m.manager,
		Attestor:       attestor,
		GetCertificate: issuertest.Serving(m.manager, identityOf(m.t, "osm-system", "osm-controller")),
		Metrics:        sds.NewMetrics(m.registry),
		Limits:         m.limits,
		ClockSkew:      m.skew,
		Destinations:   m.destinations,
		Logger:         slog.New(slog.NewTextHandler(cmp.Or(m.log, io.Discard), nil)),
	})
	if err != nil {
		m.t.Fatal(err)
	}
	m.server = server
	ctx, cancel := context.WithCancel(context.Background())
	var group errgroup.Group
	for _, run := range []func(context.Context) error{m.manager.Run, server.Run} {
		group.Go(func() error { return run(ctx) })
	}
	m.stop = func() error {
		cancel()
		return group.Wait()
	}
	m.t.Cleanup(func() {
		if err := m.stop(); err != nil {
			m.t.Error(err)
		}
	})
}

// newRoot makes a root that signs, beside those that are trusted already.
func (m *mesh) newRoot() {
	m.t.Helper()
	m.signing = testkit.CA(m.t)
	m.setTrust()
}

// newTrust makes a root that is trusted only.
func (m *mesh) newTrust() {
	m.t.Helper()
	m.trusted = trustbundle.New(testkit.CA(m.t).Root())
	m.setTrust()
}

func (m *mesh) setTrust() {
	m.t.Helper()
	roots := trustbundle.New(m.signing.Root())
	m.trusted = m.trusted.Union(roots)
	if err := m.manager.SetTrust(m.trusted, issuer.Signer{Name: "active", Issuer: m.signing, Roots: roots}); err != nil {
		m.t.Fatal(err)
	}
}

// bookstore runs an injected pod and returns it.
func (m *mesh) bookstore() string {
	return m.cluster.token(m.cluster.run(pod("bookstore", "bookstore-v2-abc", "bookstore-v2", nil)))
}

func (m *mesh) client() secretv3.SecretDiscoveryServiceClient {
	m.t.Helper()
	conn, err := grpc.NewClient("passthrough:///sds",
		grpc.WithContextDialer(m.dial),
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
			MinVersion: tls.VersionTLS13, RootCAs: m.manager.Bundle().Pool(), ServerName: serverName,
		})))
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			m.t.Error(err)
		}
	})
	return secretv3.NewSecretDiscoveryServiceClient(conn)
}

// presenting is the context of a call that carries the token.
func presenting(ctx context.Context, token string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

// count reads a metric.
func (m *mesh) count(name string) float64 {
	m.t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		m.t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			metric := family.GetMetric()[0]
			return metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
		}
	}
	return 0
}

// refused checks that exactly one stream was refused, for that reason.
func (m *mesh) refused(reason sds.Reason) {
	m.t.Helper()
	if n, err := testutil.GatherAndCount(m.registry, "osm_sds_refusals_total"); err != nil || n != 1 {
		m.t.Fatalf("%d reasons for refusals, %v", n, err)
	}
	families, err := m.registry.Gather()
	if err != nil {
		m.t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "osm_sds_refusals_total" {
			if got := family.GetMetric()[0].GetLabel()[0].GetValue(); got != string(reason) {
				m.t.Fatalf("refused for %q, want %q", got, reason)
			}
		}
	}
}

// secrets decodes resources by name.
func secrets(t testing.TB, resources []*anypb.Any) map[string]*tlsv3.Secret {
	t.Helper()
	decoded := map[string]*tlsv3.Secret{}
	for _, resource := range resources {
		secret := &tlsv3.Secret{}
		if err := resource.UnmarshalTo(secret); err != nil {
			t.Fatal(err)
		}
		decoded[secret.GetName()] = secret
	}
	return decoded
}

// leaf is the certificate of a secret whose key matches it.
func leaf(t testing.TB, secret *tlsv3.Secret) *x509.Certificate {
	t.Helper()
	certificate := secret.GetTlsCertificate()
	pair, err := tls.X509KeyPair(certificate.GetCertificateChain().GetInlineBytes(), certificate.GetPrivateKey().GetInlineBytes())
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}
