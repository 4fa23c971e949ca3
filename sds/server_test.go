package sds_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	secretv3 "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"github.com/go-jose/go-jose/v4/jwt"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/sds"
	"github.com/osm-edge/osm/test/testkit"
)

const (
	ownCert  = "service-cert:bookstore/bookstore-v2"
	ownRoots = "root-cert-for-mtls-inbound:bookstore/bookstore-v2"
)

// ask opens a state-of-the-world stream and sends the first request.
func ask(t testing.TB, ctx context.Context, client secretv3.SecretDiscoveryServiceClient, r *discoveryv3.DiscoveryRequest) secretv3.SecretDiscoveryService_StreamSecretsClient {
	t.Helper()
	stream, err := client.StreamSecrets(ctx)
	if err != nil {
		t.Fatal(err)
	}
	send(t, stream, r)
	return stream
}

func askDelta(t testing.TB, ctx context.Context, client secretv3.SecretDiscoveryServiceClient, r *discoveryv3.DeltaDiscoveryRequest) secretv3.SecretDiscoveryService_DeltaSecretsClient {
	t.Helper()
	stream, err := client.DeltaSecrets(ctx)
	if err != nil {
		t.Fatal(err)
	}
	send(t, stream, r)
	return stream
}

// send lets an error pass: a stream that ended says why to its reader.
func send[Request any](t testing.TB, stream interface{ Send(*Request) error }, r *Request) {
	t.Helper()
	if err := stream.Send(r); err != nil {
		t.Logf("send: %v", err)
	}
}

func receive[Response any](t testing.TB, stream interface{ Recv() (*Response, error) }) *Response {
	t.Helper()
	r, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func names(names ...string) *discoveryv3.DiscoveryRequest {
	return &discoveryv3.DiscoveryRequest{ResourceNames: names}
}

// accepting answers a response.
func accepting(r *discoveryv3.DiscoveryResponse, names ...string) *discoveryv3.DiscoveryRequest {
	return &discoveryv3.DiscoveryRequest{ResourceNames: names, VersionInfo: r.GetVersionInfo(), ResponseNonce: r.GetNonce()}
}

func TestAProxyGetsItsOwnCertificateAndTheBundle(t *testing.T) {
	m := newMesh(t)
	ctx := presenting(t.Context(), m.bookstore())
	sotw := receive(t, ask(t, ctx, m.client(), names(ownCert, ownRoots)))
	incremental := receive(t, askDelta(t, ctx, m.client(), &discoveryv3.DeltaDiscoveryRequest{ResourceNamesSubscribe: []string{ownCert, ownRoots}}))
	got := secrets(t, sotw.GetResources())

	svid := leaf(t, got[ownCert])
	if svid.Subject.CommonName != "bookstore-v2.bookstore.cluster.local" || svid.URIs[0].String() != "spiffe://cluster.local/ns/bookstore/sa/bookstore-v2" {
		t.Errorf("a certificate of %s, %s", svid.Subject, svid.URIs)
	}
	if life := time.Until(svid.NotAfter); life < 23*time.Hour || life > 24*time.Hour {
		t.Errorf("a certificate for %s, want 24h", life)
	}
	validation := got[ownRoots].GetValidationContext()
	if pem := validation.GetTrustedCa().GetInlineBytes(); !bytes.Equal(pem, m.manager.Bundle().PEM()) {
		t.Errorf("bundle %s", pem)
	}
	if matcher := validation.GetMatchTypedSubjectAltNames()[0].GetMatcher().GetPrefix(); matcher != "spiffe://cluster.local/" {
		t.Errorf("peers are matched by %q", matcher)
	}
	if _, err := svid.Verify(x509.VerifyOptions{Roots: m.manager.Bundle().Pool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Error(err)
	}
	for _, resource := range incremental.GetResources() {
		if got[resource.GetName()] == nil || resource.GetVersion() == "" {
			t.Errorf("DeltaSecrets sent %q at version %q", resource.GetName(), resource.GetVersion())
		}
	}
}

func TestAStreamIsRefused(t *testing.T) {
	genuine := func(m *mesh, p *corev1.Pod) context.Context {
		return presenting(t.Context(), m.cluster.token(p))
	}
	claiming := func(change func(*tokenClaims)) func(m *mesh, p *corev1.Pod) context.Context {
		return func(m *mesh, p *corev1.Pod) context.Context {
			claims := m.cluster.claims(p)
			change(claims)
			return presenting(t.Context(), m.cluster.sign("key-1", claims))
		}
	}
	cases := []struct {
		name    string
		pod     func(*corev1.Pod)
		call    func(m *mesh, p *corev1.Pod) context.Context
		request *discoveryv3.DiscoveryRequest
		code    codes.Code
		reason  sds.Reason
	}{
		{name: "no token", call: func(*mesh, *corev1.Pod) context.Context { return t.Context() },
			code: codes.Unauthenticated, reason: sds.ReasonNoToken},
		{name: "two tokens", call: func(m *mesh, p *corev1.Pod) context.Context { return presenting(genuine(m, p), m.cluster.token(p)) },
			code: codes.Unauthenticated, reason: sds.ReasonNoToken},
		{name: "another scheme", call: func(m *mesh, p *corev1.Pod) context.Context {
			return metadata.AppendToOutgoingContext(t.Context(), "authorization", "Basic "+m.cluster.token(p))
		}, code: codes.Unauthenticated, reason: sds.ReasonNoToken},
		{name: "an oversized token", call: func(*mesh, *corev1.Pod) context.Context {
			return presenting(t.Context(), string(bytes.Repeat([]byte("x"), 9<<10)))
		}, code: codes.Unauthenticated, reason: sds.ReasonMalformedToken},
		{name: "garbage", call: func(*mesh, *corev1.Pod) context.Context { return presenting(t.Context(), "garbage") },
			code: codes.Unauthenticated, reason: sds.ReasonMalformedToken},
		{name: "another audience", call: claiming(func(c *tokenClaims) { c.Audience = jwt.Audience{"vault"} }),
			code: codes.Unauthenticated, reason: sds.ReasonAudience},
		{name: "an expired token", call: claiming(func(c *tokenClaims) { c.Expiry = jwt.NewNumericDate(time.Now().Add(-time.Minute)) }),
			code: codes.Unauthenticated, reason: sds.ReasonExpired},
		{name: "a deleted pod", call: func(m *mesh, p *corev1.Pod) context.Context {
			m.cluster.delete(p)
			return genuine(m, p)
		}, code: codes.PermissionDenied, reason: sds.ReasonPodGone},
		{name: "a pod without the proxy label", pod: func(p *corev1.Pod) { p.Labels = nil }, call: genuine,
			code: codes.PermissionDenied, reason: sds.ReasonNotInjected},
		{name: "the token of another service account", call: claiming(func(c *tokenClaims) {
			c.Subject = "system:serviceaccount:bookstore:admin"
			c.Kubernetes.ServiceAccount.Name = "admin"
		}), code: codes.PermissionDenied, reason: sds.ReasonOtherServiceAccount},
		{name: "another's secret", call: genuine, request: names("service-cert:bookbuyer/bookbuyer"),
			code: codes.PermissionDenied, reason: sds.ReasonForeignSecret},
		{name: "an unknown secret", call: genuine, request: names("everything"),
			code: codes.InvalidArgument, reason: sds.ReasonUnknownSecret},
		{name: "another type", call: genuine, request: &discoveryv3.DiscoveryRequest{
			ResourceNames: []string{ownCert}, TypeUrl: "type.googleapis.com/envoy.config.listener.v3.Listener",
		}, code: codes.InvalidArgument, reason: sds.ReasonProtocol},
		{name: "a nonce that was never sent", call: genuine, request: &discoveryv3.DiscoveryRequest{
			ResourceNames: []string{ownCert}, ResponseNonce: "1",
		}, code: codes.InvalidArgument, reason: sds.ReasonProtocol},
	}
	for _, tc := range cases {
		if tc.request == nil {
			tc.request = names(ownCert)
		}
		prepare := func(t *testing.T) (*mesh, context.Context) {
			m := newMesh(t)
			return m, tc.call(m, m.cluster.run(pod("bookstore", "bookstore-v2-abc", "bookstore-v2", tc.pod)))
		}
		t.Run(tc.name+" by StreamSecrets", func(t *testing.T) {
			m, ctx := prepare(t)
			_, err := ask(t, ctx, m.client(), tc.request).Recv()
			if status.Code(err) != tc.code {
				t.Fatalf("%v, want %s", err, tc.code)
			}
			m.refused(tc.reason)
		})
		t.Run(tc.name+" by DeltaSecrets", func(t *testing.T) {
			m, ctx := prepare(t)
			_, err := askDelta(t, ctx, m.client(), &discoveryv3.DeltaDiscoveryRequest{
				ResourceNamesSubscribe: tc.request.GetResourceNames(),
				TypeUrl:                tc.request.GetTypeUrl(),
				ResponseNonce:          tc.request.GetResponseNonce(),
			}).Recv()
			if status.Code(err) != tc.code {
				t.Fatalf("%v, want %s", err, tc.code)
			}
			m.refused(tc.reason)
		})
	}
}

func TestFetchSecretsIsNotImplemented(t *testing.T) {
	m := newMesh(t)
	_, err := m.client().FetchSecrets(presenting(t.Context(), m.bookstore()), names(ownCert))
	if status.Code(err) != codes.Unimplemented {
		t.Fatal(err)
	}
}

func TestARotatedCertificateIsPushed(t *testing.T) {
	m := newMesh(t)
	stream := ask(t, presenting(t.Context(), m.bookstore()), m.client(), names(ownCert, ownRoots))
	first := receive(t, stream)
	send(t, stream, accepting(first, ownCert, ownRoots))
	rotated, err := m.manager.RotateCertificate(t.Context(), identityOf(t, "bookstore", "bookstore-v2"))
	if err != nil {
		t.Fatal(err)
	}
	second := receive(t, stream)
	if !leaf(t, secrets(t, second.GetResources())[ownCert]).Equal(rotated.Leaf()) {
		t.Fatal("pushed another certificate")
	}
	if first.GetVersionInfo() == second.GetVersionInfo() || first.GetNonce() == second.GetNonce() {
		t.Fatalf("versions %s, %s; nonces %s, %s", first.GetVersionInfo(), second.GetVersionInfo(), first.GetNonce(), second.GetNonce())
	}
}

func TestAProxyThatComesToAnotherReplicaIsSentItsCertificateInTime(t *testing.T) {
	const held = 2 * time.Second
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := newMeshOn(t, listener, issuer.ClockSkew+held) // what its root signs is valid since five minutes
	token := m.bookstore()
	first := receive(t, ask(t, presenting(t.Context(), token), m.client(), names(ownCert, ownRoots)))
	// What another replica has for it was issued later.
	testkit.Eventually(t, "another certificate ends later", func() bool {
		other, err := m.manager.RotateCertificate(t.Context(), identityOf(t, "bookstore", "bookstore-v2"))
		return err == nil && other.NotAfter().After(leaf(t, secrets(t, first.GetResources())[ownCert]).NotAfter)
	})
	again := names(ownCert, ownRoots)
	again.VersionInfo = first.GetVersionInfo()
	stream := ask(t, presenting(t.Context(), token), m.client(), again)
	alone := secrets(t, receive(t, stream).GetResources())
	if alone[ownCert] != nil || alone[ownRoots] == nil {
		t.Errorf("it is sent %v at first", alone)
	}
	sent := leaf(t, secrets(t, receive(t, stream).GetResources())[ownCert])
	if age := time.Since(sent.NotBefore); age < issuer.ClockSkew+held {
		t.Errorf("it is sent %s after it begins", age)
	}
}

func TestANewRootIsPushedAndAcknowledged(t *testing.T) {
	m := newMesh(t)
	stream := askDelta(t, presenting(t.Context(), m.bookstore()), m.client(),
		&discoveryv3.DeltaDiscoveryRequest{ResourceNamesSubscribe: []string{"ROOTCA"}})
	receive(t, stream)
	m.newRoot()
	pushed := receive(t, stream)
	if pem := bundleOf(t, pushed); !bytes.Equal(pem, m.manager.Bundle().PEM()) {
		t.Fatalf("bundle %s", pem)
	}
	send(t, stream, &discoveryv3.DeltaDiscoveryRequest{ResponseNonce: pushed.GetNonce()})
	testkit.Eventually(t, "everyone has acknowledged", func() bool { return m.manager.Pending() == 0 })
}

func bundleOf(t testing.TB, r *discoveryv3.DeltaDiscoveryResponse) []byte {
	t.Helper()
	resource := r.GetResources()[0].GetResource()
	for _, secret := range secrets(t, []*anypb.Any{resource}) {
		return secret.GetValidationContext().GetTrustedCa().GetInlineBytes()
	}
	return nil
}

func TestANACKIsNotAnsweredBeforeThereIsSomethingNew(t *testing.T) {
	m := newMesh(t)
	stream := ask(t, presenting(t.Context(), m.bookstore()), m.client(), names(ownCert))
	first := receive(t, stream)
	for range 3 {
		r := names(ownCert)
		r.ResponseNonce, r.ErrorDetail = first.GetNonce(), &statuspb.Status{Message: "no\nthank you"}
		send(t, stream, r)
	}
	testkit.Eventually(t, "the NACK was counted", func() bool { return m.count("osm_sds_nacks_total") > 0 })
	rotated, err := m.manager.RotateCertificate(t.Context(), identityOf(t, "bookstore", "bookstore-v2"))
	if err != nil {
		t.Fatal(err)
	}
	second := receive(t, stream)
	if !leaf(t, secrets(t, second.GetResources())[ownCert]).Equal(rotated.Leaf()) {
		t.Fatal("the rejected certificate was sent again")
	}
	testkit.Eventually(t, "both pushes were counted", func() bool { return m.count("osm_sds_pushes_total") == 2 })
	if nacks := m.count("osm_sds_nacks_total"); nacks != 1 {
		t.Fatalf("%v NACKs, want 1", nacks)
	}
}

func TestAProxyThatComesBackIsSentOnlyWhatItLacks(t *testing.T) {
	m := newMesh(t)
	ctx := presenting(t.Context(), m.bookstore())
	client := m.client()
	ctx1, leave := context.WithCancel(ctx)
	stream := ask(t, ctx1, client, names(ownCert, ownRoots))
	held := receive(t, stream)
	send(t, stream, accepting(held, ownCert, ownRoots))
	leave()
	testkit.Eventually(t, "the stream ended", func() bool { return m.count("osm_sds_streams") == 0 })

	r := names(ownRoots, ownCert)
	r.VersionInfo = held.GetVersionInfo()
	stream = ask(t, ctx, client, r)
	testkit.Eventually(t, "it is known to hold what it came with", func() bool { return m.manager.Pending() == 0 && m.count("osm_sds_streams") == 1 })
	rotated, err := m.manager.RotateCertificate(t.Context(), identityOf(t, "bookstore", "bookstore-v2"))
	if err != nil {
		t.Fatal(err)
	}
	next := receive(t, stream)
	if !leaf(t, secrets(t, next.GetResources())[ownCert]).Equal(rotated.Leaf()) {
		t.Fatal("what it held was sent again")
	}
}

func TestTheStreamOfADeletedPodEndsAtTheNextPush(t *testing.T) {
	m := newMesh(t)
	p := m.cluster.run(pod("bookstore", "bookstore-v2-abc", "bookstore-v2", nil))
	stream := ask(t, presenting(t.Context(), m.cluster.token(p)), m.client(), names(ownCert))
	receive(t, stream)
	m.cluster.delete(p)
	if _, err := m.manager.RotateCertificate(t.Context(), identityOf(t, "bookstore", "bookstore-v2")); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.PermissionDenied {
		t.Fatal(err)
	}
	m.refused(sds.ReasonPodGone)
}

func TestStreamsOfOneProxyShareACertificate(t *testing.T) {
	m := newMesh(t)
	ctx := presenting(t.Context(), m.bookstore())
	serials := map[string]bool{}
	for range 4 {
		r := receive(t, ask(t, ctx, m.client(), names("default")))
		serials[leaf(t, secrets(t, r.GetResources())["default"]).SerialNumber.String()] = true
	}
	if len(serials) != 1 {
		t.Fatalf("%d certificates, want 1", len(serials))
	}
}

func TestASlowReaderIsSentTheLatest(t *testing.T) {
	m := newMesh(t)
	id := identityOf(t, "bookstore", "bookstore-v2")
	stream := ask(t, presenting(t.Context(), m.bookstore()), m.client(), names(ownCert))
	receive(t, stream)
	const rotations = 500
	last, err := m.manager.RotateCertificate(t.Context(), id)
	for range rotations {
		if err != nil {
			t.Fatal(err)
		}
		last, err = m.manager.RotateCertificate(t.Context(), id)
	}
	for read := 1; ; read++ {
		if leaf(t, secrets(t, receive(t, stream).GetResources())[ownCert]).Equal(last.Leaf()) {
			if read > rotations/2 {
				t.Fatalf("%d responses were kept for a reader who did not read", read)
			}
			return
		}
	}
}

func TestTLS12IsRefused(t *testing.T) {
	m := newMesh(t)
	config := &tls.Config{MaxVersion: tls.VersionTLS12, RootCAs: m.manager.Bundle().Pool(), ServerName: serverName, NextProtos: []string{"h2"}}
	conn, err := tls.Dial("tcp", m.listener.Addr().String(), config)
	if err == nil {
		conn.Close()
		t.Fatal("connected")
	}
	config.MaxVersion = 0
	config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	for range 2 {
		conn, err := tls.Dial("tcp", m.listener.Addr().String(), config)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); err != nil { // a ticket would come before the first byte
			t.Fatal(err)
		}
		if conn.ConnectionState().DidResume {
			t.Fatal("a session was resumed")
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAStoppingServerEndsItsStreams(t *testing.T) {
	m := newMesh(t)
	stream := ask(t, presenting(t.Context(), m.bookstore()), m.client(), names(ownCert))
	receive(t, stream)
	if err := m.stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable {
		t.Fatal(err)
	}
}

func TestTheServersCertificateIsReplacedWhileItServes(t *testing.T) {
	m := newMesh(t)
	served := func() *x509.Certificate {
		conn, err := tls.Dial("tcp", m.listener.Addr().String(), &tls.Config{
			RootCAs: m.manager.Bundle().Pool(), ServerName: serverName, NextProtos: []string{"h2"},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0]
	}
	first := served()
	m.newRoot()
	if _, err := m.manager.RotateCertificate(t.Context(), identityOf(t, "osm-system", "osm-controller")); err != nil {
		t.Fatal(err)
	}
	if served().Equal(first) {
		t.Error("the former certificate is served")
	}
}
