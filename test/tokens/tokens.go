// Package tokens makes tokens of pods as the API server of a test's cluster does,
// and with its key those that it would not make. It knows nothing of who is asked
// with them.
package tokens

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/test/cluster"
)

// Maker makes tokens of the pods of a cluster.
type Maker struct {
	cluster *cluster.Cluster
	key     any
}

// New returns the Maker of a cluster, with the key of its API server.
func New(t *testing.T, c *cluster.Cluster) *Maker {
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
	return &Maker{c, key}
}

// Of returns a token that is bound to the pod.
func (k *Maker) Of(t *testing.T, pod *corev1.Pod, audience string) string {
	t.Helper()
	token, err := k.cluster.PodToken(t.Context(), pod.Namespace, pod.Name, audience, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Expired returns the token as it would be in an hour and a half.
func (k *Maker) Expired(t *testing.T, token string) string {
	return k.Change(t, token, func(claims map[string]any) {
		for _, name := range []string{"exp", "iat", "nbf"} {
			claims[name] = claims[name].(float64) - 5400
		}
	})
}

// Forged returns the token as an attacker without the API server's key would make it.
func (k *Maker) Forged(t *testing.T, token string) string {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return sign(t, token, key, func(map[string]any) {})
}

// Change signs the token's claims again with the API server's key, after change.
func (k *Maker) Change(t *testing.T, token string, change func(claims map[string]any)) string {
	t.Helper()
	return sign(t, token, k.key, change)
}

func sign(t *testing.T, token string, key any, change func(claims map[string]any)) string {
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
