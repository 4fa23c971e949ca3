package conformance

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	secretv3 "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/test/testkit"
)

// stubborn is an SDS server that sends one response after another, whatever it
// hears, and tells what it heard.
type stubborn struct {
	secretv3.UnimplementedSecretDiscoveryServiceServer
	responses [][]*tlsv3.Secret
	requests  chan *discoveryv3.DiscoveryRequest
}

// StreamSecrets implements secretv3.SecretDiscoveryServiceServer.
func (s *stubborn) StreamSecrets(stream secretv3.SecretDiscoveryService_StreamSecretsServer) error {
	for _, secrets := range append(s.responses, nil) {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		s.requests <- request
		if secrets == nil {
			<-stream.Context().Done()
			return nil
		}
		response := &discoveryv3.DiscoveryResponse{VersionInfo: "v" + request.GetResponseNonce(), Nonce: request.GetResponseNonce() + "1"}
		for _, secret := range secrets {
			resource, err := anypb.New(secret)
			if err != nil {
				return err
			}
			response.Resources = append(response.Resources, resource)
		}
		if err := stream.Send(response); err != nil {
			return err
		}
	}
	return nil
}

func inline(content []byte) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: content}}
}

// leaf is the secret of the sidecar's certificate, which lives as long as said.
func leaf(t *testing.T, ca *tresor.CA, id identity.Identity, life time.Duration) *tlsv3.Secret {
	t.Helper()
	request, err := issuer.NewServiceRequest(issuer.ECDSAP256, id)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := ca.Issue(t.Context(), request, life)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := request.Certificate(chain)
	if err != nil {
		t.Fatal(err)
	}
	return pair(cert.ChainPEM(), cert.KeyPEM())
}

func pair(chain, key []byte) *tlsv3.Secret {
	return &tlsv3.Secret{Name: "service-cert:bookbuyer/bookbuyer", Type: &tlsv3.Secret_TlsCertificate{
		TlsCertificate: &tlsv3.TlsCertificate{CertificateChain: inline(chain), PrivateKey: inline(key)},
	}}
}

func httpPorts(list string) *tlsv3.Secret {
	return &tlsv3.Secret{Name: "http-ports", Type: &tlsv3.Secret_GenericSecret{GenericSecret: &tlsv3.GenericSecret{
		Secret: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: list}},
	}}}
}

func trusted(roots []byte) *tlsv3.Secret {
	return &tlsv3.Secret{Name: "root-cert-for-mtls-inbound:bookbuyer/bookbuyer", Type: &tlsv3.Secret_ValidationContext{
		ValidationContext: &tlsv3.CertificateValidationContext{TrustedCa: inline(roots)},
	}}
}

// rejectsWhatItCannotUse takes a minute, because Pipy waits for five
// seconds before each rejection.
func rejectsWhatItCannotUse(t *testing.T, program string) {
	m := newMesh(t, program)
	m.stop()
	ca := testkit.CA(t)
	id := identityOf(t, "bookbuyer", "bookbuyer")
	good, other := leaf(t, ca, id, time.Hour), leaf(t, ca, id, time.Hour)
	roots := trustbundle.New(ca.Root()).PEM()
	mixed := pair(good.GetTlsCertificate().GetCertificateChain().GetInlineBytes(), other.GetTlsCertificate().GetPrivateKey().GetInlineBytes())
	rejections := []struct {
		secrets []*tlsv3.Secret
		want    string
	}{
		{[]*tlsv3.Secret{good, trusted(nil)}, "no certificate in the trust bundle"},
		{[]*tlsv3.Secret{good, trusted(good.GetTlsCertificate().GetCertificateChain().GetInlineBytes())}, "is not a CA"},
		{[]*tlsv3.Secret{good, trusted([]byte("-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n"))}, "root-cert-for-mtls-inbound"},
		{[]*tlsv3.Secret{mixed, trusted(roots)}, "the private key is not that of the certificate"},
		{[]*tlsv3.Secret{leaf(t, ca, identityOf(t, "bookbuyer", "other"), time.Hour), trusted(roots)}, "not for spiffe://cluster.local/ns/bookbuyer/sa/bookbuyer"},
		{[]*tlsv3.Secret{{Name: "service-cert:bookbuyer/bookbuyer"}, trusted(roots)}, "no certificate with a key"},
		{[]*tlsv3.Secret{good, trusted(roots), httpPorts("80,x")}, "secret http-ports: x is not a port"},
	}
	server := &stubborn{requests: make(chan *discoveryv3.DiscoveryRequest, 100)}
	for _, r := range rejections {
		server.responses = append(server.responses, r.secrets)
	}
	server.responses = append(server.responses, []*tlsv3.Secret{leaf(t, ca, id, 40*time.Second), trusted(roots)})
	g := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{GetCertificate: m.serving})))
	secretv3.RegisterSecretDiscoveryServiceServer(g, server)
	l := listen(t, m.otherPod, net.JoinHostPort(otherAddress, "15128"))
	go g.Serve(l)
	t.Cleanup(g.Stop)

	p := m.start(nil)
	if first := <-server.requests; first.GetNode().GetId() == "" || len(first.GetResourceNames()) != 3 {
		t.Errorf("asks with %v", first)
	}
	for i, r := range rejections {
		nack := <-server.requests
		message := nack.GetErrorDetail().GetMessage()
		if message == "" || !isReference(program) && !strings.Contains(message, r.want) || nack.GetVersionInfo() != "" || nack.GetResponseNonce() != strings.Repeat("1", i+1) {
			t.Errorf("%v, want a rejection with %q", nack, r.want)
		}
		if i+1 < len(rejections) && p.ready(pipyAddress) {
			t.Fatal("took what it rejected")
		}
	}
	if ack := <-server.requests; ack.GetErrorDetail() != nil || ack.GetVersionInfo() == "" {
		t.Errorf("%v, want an ACK", ack)
	}
	p.waitReady(pipyAddress)
	end := p.report().NotAfter
	for time.Now().Before(end) {
		testkit.Eventually(t, "a moment", aSecond())
	}
	if p.ready(pipyAddress) {
		t.Error("ready with an expired certificate")
	}
	accept(t, m.otherPod, "10.0.0.2:9200", greet)
	if conn, err := dial(p.n, "10.0.0.2:9200"); err == nil {
		defer conn.Close()
		if answer := heard(conn); answer != "" {
			t.Errorf("carries with an expired certificate: %q", answer)
		}
	} else if !errors.Is(err, syscall.ECONNRESET) {
		t.Fatal(err)
	}
	if strings.Contains(p.logged(), "PRIVATE KEY") {
		t.Error("a key is in the log")
	}
}
