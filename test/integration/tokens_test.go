package integration

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/sds"
	"github.com/osm-edge/osm/test/cluster"
)

// tokens makes tokens that the API server would make, and with its key those
// that it would not.
type tokens struct {
	cluster *cluster.Cluster
	key     any
}

func newTokens(t *testing.T, c *cluster.Cluster) *tokens {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(filepath.Dir(c.Kubeconfig()), "sa.key"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatal("sa.key is not PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		if key, err = x509.ParseECPrivateKey(block.Bytes); err != nil {
			t.Fatal(err)
		}
	}
	return &tokens{c, key}
}

// of returns a token that is bound to the pod.
func (k *tokens) of(t *testing.T, pod *corev1.Pod, audience string) string {
	t.Helper()
	token, err := k.cluster.PodToken(t.Context(), pod.Namespace, pod.Name, audience, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// ofDeletedPod returns a token of a pod that was injected and is gone.
func (k *tokens) ofDeletedPod(t *testing.T, client kubernetes.Interface, namespace string) string {
	t.Helper()
	pods := client.CoreV1().Pods(namespace)
	pod, err := pods.Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "short-lived"},
		Spec:       corev1.PodSpec{ServiceAccountName: "bookbuyer", Containers: []corev1.Container{{Name: "app", Image: "example/app:1"}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	token := k.of(t, pod, sds.Audience)
	now := int64(0)
	if err := pods.Delete(t.Context(), pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &now}); err != nil {
		t.Fatal(err)
	}
	err = wait.PollUntilContextCancel(within(t, 30*time.Second), 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		_, err := pods.Get(ctx, pod.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		return false, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// expired returns the token as it would be in an hour and a half.
func (k *tokens) expired(t *testing.T, token string) string {
	return k.change(t, token, k.key, func(claims map[string]any) {
		for _, name := range []string{"exp", "iat", "nbf"} {
			claims[name] = claims[name].(float64) - 5400
		}
	})
}

// ofOtherAccount returns the token with another service account than its pod's.
func (k *tokens) ofOtherAccount(t *testing.T, token string) string {
	return k.change(t, token, k.key, func(claims map[string]any) {
		claims["sub"] = "system:serviceaccount:bookbuyer:admin"
		bound := maps.Clone(claims["kubernetes.io"].(map[string]any))
		bound["serviceaccount"] = map[string]any{"name": "admin", "uid": "9b7c5d6e-0000-4000-8000-000000000000"}
		claims["kubernetes.io"] = bound
	})
}

// forged returns the token as somebody without the API server's key would make it.
func (k *tokens) forged(t *testing.T, token string) string {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return k.change(t, token, key, func(map[string]any) {})
}

// change signs the token's claims again, after change.
func (k *tokens) change(t *testing.T, token string, key any, change func(claims map[string]any)) string {
	t.Helper()
	algorithms := []jose.SignatureAlgorithm{jose.RS256, jose.ES256}
	parsed, err := jwt.ParseSigned(token, algorithms)
	if err != nil {
		t.Fatal(err)
	}
	claims := map[string]any{}
	if err := parsed.UnsafeClaimsWithoutVerification(&claims); err != nil {
		t.Fatal(err)
	}
	change(claims)
	algorithm := jose.ES256
	if _, ok := key.(*rsa.PrivateKey); ok {
		algorithm = jose.RS256
	}
	signingKey := jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: parsed.Headers[0].KeyID}}
	signer, err := jose.NewSigner(signingKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return signed
}
