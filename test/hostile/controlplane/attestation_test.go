//go:build hostile

package controlplane

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	secretv3 "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/sds"
	"github.com/osm-edge/osm/test/attack"
	"github.com/osm-edge/osm/test/cluster"
	"github.com/osm-edge/osm/test/testkit"
)

// streamEnds is how long a stream may go on after its pod's right to it is gone.
const streamEnds = 90 * time.Second

// lostNode has no kubelet: nothing runs there, and nothing ends.
const lostNode = "lost"

func attackAttestation(t *testing.T, m *realMesh) {
	pod := m.pod(t, "shop", "buyer", "buyer", "")
	own := m.certified(t, pod)
	attack.Works(t, "attestation", "a pod is certified with the name of its service account", func(t *testing.T) (string, error) {
		return m.ask(t, own, "service-cert:shop/buyer")
	})
	attack.Works(t, "attestation", "a pod is certified with a token of the API server's former issuer", func(t *testing.T) (string, error) {
		return m.ask(t, m.issuedBy(t, own, cluster.FormerIssuer), "default")
	})
	for what, token := range m.badTokens(t, pod, own) {
		attack.Refused(t, "attestation", "SDS is shown "+what, func(t *testing.T) (string, error) { return m.refused(t, token, "default") })
	}
	for _, name := range []string{
		"service-cert:shop/seller", "service-cert:bank/buyer", "service-cert:osm-system/osm-controller", "service-cert:shop/buyer/../seller",
		"root-cert-for-mtls-inbound:shop/seller", "service-cert:shop/buyer\x00", "osm-ca-bundle",
	} {
		attack.Refused(t, "attestation", fmt.Sprintf("a pod asks for %q", name), func(t *testing.T) (string, error) { return m.refused(t, own, name) })
		attack.Refused(t, "attestation", fmt.Sprintf("a pod asks for its own certificate and %q", name), func(t *testing.T) (string, error) { return m.refused(t, own, "default", name) })
	}
	attackWithWhatIsGone(t, m)
	attack.Works(t, "attestation", "a pod is certified after the attacks", func(t *testing.T) (string, error) { return m.ask(t, own, "default") })
}

// badTokens are those that no proxy of the mesh has. own is a good one.
func (m *realMesh) badTokens(t *testing.T, pod *corev1.Pod, own string) map[string]string {
	t.Helper()
	check(t, createNamespaceOutside(t, m))
	outside := m.pod(t, "outside", "plain", "default", "")
	secret := must[*corev1.Secret](t)(m.client.CoreV1().Secrets("shop").Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "bound"}}, metav1.CreateOptions{}))
	return map[string]string{
		"a token of a foreign issuer":                              m.issuedBy(t, own, "https://elsewhere.example"),
		"a token of the former issuer that another key signed":     m.tokens.Forged(t, m.issuedBy(t, own, cluster.FormerIssuer)),
		"a token that another key signed":                          m.tokens.Forged(t, own),
		"a token that no one signed":                               unsigned(own),
		"a token that the API server's public key signed, as HMAC": m.confused(t, own),
		"a token with half of its signature":                       own[:len(own)-40],
		"a token that has expired":                                 m.tokens.Expired(t, own),
		"a token of another audience":                              m.tokens.Of(t, pod, "vault"),
		"a token of the API server's audience":                     m.tokens.Of(t, pod, "https://kubernetes.default.svc.cluster.local"),
		"a token of the former issuer and another audience":        m.issuedBy(t, m.tokens.Of(t, pod, "vault"), cluster.FormerIssuer),
		"a token that is not bound to a pod":                       m.bound(t, nil),
		"a token that is bound to a Secret":                        m.bound(t, &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Secret", Name: secret.Name, UID: secret.UID}),
		"a token of the former issuer, not bound to a pod":         m.issuedBy(t, m.bound(t, nil), cluster.FormerIssuer),
		"a token of a pod that has no sidecar":                     m.tokens.Of(t, outside, sds.Audience),
		"nothing":                                                  "",
	}
}

func createNamespaceOutside(t *testing.T, m *realMesh) error {
	t.Helper()
	_, err := m.client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "outside"}}, metav1.CreateOptions{})
	m.await(t, "a service account", func(ctx context.Context) error {
		_, err := m.client.CoreV1().ServiceAccounts("outside").Get(ctx, "default", metav1.GetOptions{})
		return err
	})
	return err
}

func (m *realMesh) issuedBy(t *testing.T, token, issuer string) string {
	return m.tokens.Change(t, token, func(claims map[string]any) { claims["iss"] = issuer })
}

// bound is a token of service account buyer that the API server gives.
func (m *realMesh) bound(t *testing.T, to *authenticationv1.BoundObjectReference) string {
	t.Helper()
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: []string{sds.Audience}, BoundObjectRef: to}}
	answer := must[*authenticationv1.TokenRequest](t)(m.client.CoreV1().ServiceAccounts("shop").CreateToken(t.Context(), "buyer", request, metav1.CreateOptions{}))
	return answer.Status.Token
}

func encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// unsigned is the token as RFC 7519, section 6, has it without a signature.
func unsigned(token string) string {
	return encode(`{"alg":"none"}`) + "." + strings.Split(token, ".")[1] + "."
}

// confused is the token with an HMAC whose key is the public key's file (RFC 8725, section 2.1).
func (m *realMesh) confused(t *testing.T, token string) string {
	t.Helper()
	public := must[[]byte](t)(os.ReadFile(filepath.Join(filepath.Dir(m.cluster.Kubeconfig()), "sa.pub")))
	signed := encode(`{"alg":"HS256"}`) + "." + strings.Split(token, ".")[1]
	mac := hmac.New(sha256.New, public)
	mac.Write([]byte(signed))
	return signed + "." + encode(string(mac.Sum(nil)))
}

type gone struct {
	pod, node string
	// end ends the right of the pod's token.
	end func(t *testing.T, pod *corev1.Pod)
}

// attackWithWhatIsGone has streams open, and tokens kept, of what is gone.
func attackWithWhatIsGone(t *testing.T, m *realMesh) {
	_, err := m.client.CoreV1().Nodes().Create(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: lostNode}}, metav1.CreateOptions{})
	check(t, err)
	for what, g := range map[string]gone{
		"a pod that is gone": {pod: "gone", end: m.end},
		"a pod that was made anew": {pod: "anew", end: func(t *testing.T, pod *corev1.Pod) {
			m.end(t, pod)
			m.certified(t, m.pod(t, pod.Namespace, pod.Name, pod.Spec.ServiceAccountName, ""))
		}},
		"a deleted pod past its grace, on a node that is lost": {pod: "held", node: lostNode, end: m.outlive},
		"a pod whose service account is deleted": {pod: "orphan", end: func(t *testing.T, pod *corev1.Pod) {
			check(t, m.client.CoreV1().ServiceAccounts(pod.Namespace).Delete(t.Context(), pod.Spec.ServiceAccountName, metav1.DeleteOptions{}))
		}},
		"a pod whose service account was made anew": {pod: "stepchild", end: func(t *testing.T, pod *corev1.Pod) {
			check(t, m.client.CoreV1().ServiceAccounts(pod.Namespace).Delete(t.Context(), pod.Spec.ServiceAccountName, metav1.DeleteOptions{}))
			m.account(t, pod.Namespace, pod.Spec.ServiceAccountName)
			m.certified(t, pod)
		}},
	} {
		m.account(t, "shop", g.pod)
		pod := m.pod(t, "shop", g.pod, g.pod, g.node)
		own := m.certified(t, pod)
		stream := m.open(t, own)
		attack.Refused(t, "attestation", "the open stream goes on of "+what, func(t *testing.T) (string, error) {
			g.end(t, pod)
			began := time.Now()
			how, err := m.ended(stream)
			return fmt.Sprintf("%s after %s", how, time.Since(began).Round(100*time.Millisecond)), err
		})
		for name, token := range map[string]string{"": own, ", by the former issuer": m.issuedBy(t, own, cluster.FormerIssuer)} {
			attack.Refused(t, "attestation", "SDS is shown a token of "+what+name, func(t *testing.T) (string, error) {
				return m.refused(t, token, "default")
			})
		}
	}
}

// outlive deletes a pod that its node does not end.
func (m *realMesh) outlive(t *testing.T, pod *corev1.Pod) {
	own, pods := m.tokens.Of(t, pod, sds.Audience), m.client.CoreV1().Pods(pod.Namespace)
	check(t, pods.Delete(t.Context(), pod.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64(5))}))
	attack.Works(t, "attestation", "a deleted pod is certified within its grace", func(t *testing.T) (string, error) { return m.ask(t, own, "default") })
	t.Cleanup(func() {
		left, err := pods.Get(context.WithoutCancel(t.Context()), pod.Name, metav1.GetOptions{})
		if err != nil || left.DeletionTimestamp == nil || left.Status.Phase != corev1.PodPending {
			t.Errorf("the pod has ended: %v, %v", left.Status.Phase, err)
		}
	})
}

// certified returns a token of the pod once that is certified with it.
func (m *realMesh) certified(t *testing.T, pod *corev1.Pod) string {
	t.Helper()
	own := m.tokens.Of(t, pod, sds.Audience)
	m.await(t, "the certificate of pod "+pod.Name, func(context.Context) error {
		_, err := m.ask(t, own, "default")
		return err
	})
	return own
}

// ask asks for certificates, and returns the name in the first.
func (m *realMesh) ask(t *testing.T, token string, names ...string) (string, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, response, err := m.begin(ctx, token, names...)
	if err != nil {
		return "", err
	}
	if len(response.Resources) == 0 {
		return "", errors.New("the answer has no secret")
	}
	var secret tlsv3.Secret
	if err := response.Resources[0].UnmarshalTo(&secret); err != nil {
		return "", err
	}
	chain, err := trustbundle.ParseCertificates(secret.GetTlsCertificate().GetCertificateChain().GetInlineBytes())
	if err != nil {
		return "", err
	}
	if len(chain[0].URIs) != 1 {
		return "", fmt.Errorf("the certificate has the URIs %v", chain[0].URIs)
	}
	return chain[0].URIs[0].String(), nil
}

func (m *realMesh) begin(ctx context.Context, token string, names ...string) (secretv3.SecretDiscoveryService_StreamSecretsClient, *discoveryv3.DiscoveryResponse, error) {
	if token != "" {
		ctx = as(ctx, token)
	}
	stream, err := m.sds.StreamSecrets(ctx)
	if err != nil {
		return nil, nil, err
	}
	_ = stream.Send(&discoveryv3.DiscoveryRequest{ResourceNames: names}) // Recv tells why it failed
	response, err := stream.Recv()
	return stream, response, err
}

func (m *realMesh) open(t *testing.T, token string) secretv3.SecretDiscoveryService_StreamSecretsClient {
	t.Helper()
	stream, _, err := m.begin(testkit.Context(t, streamEnds+time.Minute), token, "default")
	check(t, err)
	return stream
}

// refused returns how SDS refused to answer.
func (m *realMesh) refused(t *testing.T, token string, names ...string) (string, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, _, err := m.begin(ctx, token, names...)
	return refusal(err)
}

// ended returns how a stream ended. What is pushed before that has no effect.
func (m *realMesh) ended(stream secretv3.SecretDiscoveryService_StreamSecretsClient) (string, error) {
	ended := make(chan error, 1)
	go func() {
		for {
			if _, err := stream.Recv(); err != nil {
				ended <- err
				return
			}
		}
	}()
	select {
	case err := <-ended:
		return refusal(err)
	case <-time.After(streamEnds):
		return "", fmt.Errorf("the stream is open after %s", streamEnds)
	}
}

func refusal(err error) (string, error) {
	switch code := status.Code(err); code {
	case codes.OK:
		return "", errors.New("SDS answered")
	case codes.Unauthenticated, codes.PermissionDenied, codes.InvalidArgument:
		return fmt.Sprintf("%s, %.120s", code, status.Convert(err).Message()), nil
	}
	return "", fmt.Errorf("not refused, but failed: %w", err)
}
