package rootsecret

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/issuer/tresor"
)

func newRoot(t *testing.T) Root {
	t.Helper()
	cert, key, err := tresor.NewRoot()
	if err != nil {
		t.Fatal(err)
	}
	return Root{cert, key}
}

func newRSAKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newECKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// rootOf returns a root of two hours with the key, as changed.
func rootOf(t *testing.T, key crypto.Signer, change func(*x509.Certificate)) Root {
	t.Helper()
	template := rootTemplate()
	change(template)
	return Root{sign(t, template, template, key.Public(), key), key}
}

// intermediateOf returns a CA that another root signed.
func intermediateOf(t *testing.T, parent Root) Root {
	t.Helper()
	key := newECKey(t)
	return Root{sign(t, rootTemplate(), parent.Certificate, key.Public(), parent.Key), key}
}

func rootTemplate() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "osm-ca.openservicemesh.io"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		KeyUsage:              x509.KeyUsageCertSign,
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
}

func sign(t *testing.T, template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func dataOf(t *testing.T, root Root) map[string][]byte {
	t.Helper()
	data, err := encode(root)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func secretOf(data map[string][]byte) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: "osm-ca-bundle"},
		Type:       corev1.SecretTypeOpaque,
		Data:       data,
	}
}

func pemOf(blockType string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: blockType, Bytes: der})
}
