package provider

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
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

// givenRoot is what an operator puts into a Secret.
func givenRoot(t *testing.T, key crypto.Signer, change func(*x509.Certificate)) map[string][]byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "corporate"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	change(template)
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	return map[string][]byte{
		rootsecret.CertificateKey: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
		rootsecret.PrivateKeyKey:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	}
}

func TestARootThatPeersRefuseIsNotDistributed(t *testing.T) {
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	must(t, err)
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	must(t, err)
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	asIs := func(*x509.Certificate) {}
	tests := map[string]struct {
		key    crypto.Signer
		change func(*x509.Certificate)
		want   string
	}{
		"a short RSA key":         {short, asIs, "RSA key has 1024 bits"},
		"P-224":                   {p224, asIs, "curve P-224"},
		"servers alone":           {p256, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, "client authentication"},
		"no subject":              {p256, func(c *x509.Certificate) { c.Subject = pkix.Name{} }, "no subject"},
		"other DNS names":         {p256, func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example.com"} }, "forbid DNS names below cluster.local"},
		"no names of the servers": {p256, func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"cluster.local"} }, "forbid DNS names below osm-system.svc"},
		"other URIs":              {p256, func(c *x509.Certificate) { c.PermittedURIDomains = []string{"example.com"} }, "forbid the URIs spiffe://cluster.local/"},
		"the usage of no CA":      {p256, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }, "key usage"},
	}
	for name, test := range tests {
		for _, role := range []v1.Role{v1.Active, v1.Passive} {
			t.Run(name+", "+string(role), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := startTresor(t)
					first := m.makeRoot(t, "osm-ca-bundle")
					settle()
					secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "second"}, Data: givenRoot(t, test.key, test.change)}
					_, err := m.client.CoreV1().Secrets(namespace).Create(t.Context(), secret, metav1.CreateOptions{})
					must(t, err)
					m.create(t, "second", role, tresorOf("second"))
					settle()
					m.mustSign(t, first, first)
					m.wantStatus(t, "second", "False Refused", "False RootsUnknown")
					message := meta.FindStatusCondition(m.object(t, "second").Status.Conditions, v1.ConditionReady).Message
					for _, want := range []string{"osm-system/second", `key "ca.crt"`, test.want} {
						if !strings.Contains(message, want) {
							t.Errorf("it says %q, want %q", message, want)
						}
					}
				})
			})
		}
	}
}

func TestARootOfCertManagerThatPeersRefuseIsNotDistributed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startTresor(t)
		first := m.makeRoot(t, "osm-ca-bundle")
		settle()
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(t, err)
		data := givenRoot(t, key, func(c *x509.Certificate) { c.PermittedURIDomains = []string{"example.com"} })
		delete(data, rootsecret.PrivateKeyKey)
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "second"}, Data: data}
		_, err = m.client.CoreV1().Secrets(namespace).Create(t.Context(), secret, metav1.CreateOptions{})
		must(t, err)
		m.create(t, "second", v1.Passive, v1.Provider{CertManager: &v1.CertManager{
			IssuerRef: v1.IssuerReference{Name: "ca", Kind: "Issuer", Group: "cert-manager.io"}, RootsSecretRef: &v1.SecretReference{Name: "second"},
		}})
		settle()
		m.mustSign(t, first, first)
		m.wantStatus(t, "second", "False Refused", "False RootsUnknown")
	})
}
