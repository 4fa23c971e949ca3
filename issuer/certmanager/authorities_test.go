package certmanager_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/test/testkit"
)

// createCA makes an issuer that signs with the first of the chain.
func (m *mesh) createCA(t testing.TB, name string, chain []*x509.Certificate, key crypto.Signer) {
	t.Helper()
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	var chainPEM []byte
	for _, c := range chain {
		chainPEM = append(chainPEM, pemOf("CERTIFICATE", c.Raw)...)
	}
	_, err = kube.CoreV1().Secrets(m.namespace).Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Type:       corev1.SecretTypeTLS,
		Data:       map[string][]byte{corev1.TLSCertKey: chainPEM, corev1.TLSPrivateKeyKey: pemOf("PRIVATE KEY", keyDER)},
	}, metav1.CreateOptions{})
	must(t, err)
	m.createIssuer(t, name, map[string]any{"ca": map[string]any{"secretName": name}})
	m.awaitReady(t, name)
}

func (m *mesh) createIssuer(t testing.TB, name string, spec map[string]any) {
	t.Helper()
	_, err := objects.Resource(resource("issuers")).Namespace(m.namespace).Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "cert-manager.io/v1", "kind": "Issuer", "metadata": map[string]any{"name": name}, "spec": spec,
	}}, metav1.CreateOptions{})
	must(t, err)
}

// createClusterIssuer makes one that signs with the root of the mesh, and
// returns its name.
func (m *mesh) createClusterIssuer(t testing.TB) string {
	t.Helper()
	// Where cert-manager looks for the secrets of ClusterIssuers.
	_, err := kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "cert-manager"}}, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		must(t, err)
	}
	secret, err := kube.CoreV1().Secrets(m.namespace).Get(t.Context(), "osm-ca", metav1.GetOptions{})
	must(t, err)
	_, err = kube.CoreV1().Secrets("cert-manager").Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: m.namespace}, Type: secret.Type, Data: secret.Data,
	}, metav1.CreateOptions{})
	must(t, err)
	_, err = objects.Resource(resource("clusterissuers")).Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", "metadata": map[string]any{"name": m.namespace},
		"spec": map[string]any{"ca": map[string]any{"secretName": m.namespace}},
	}}, metav1.CreateOptions{})
	must(t, err)
	return m.namespace
}

// newIntermediate makes a CA that the mesh's root signed.
func (m *mesh) newIntermediate(t testing.TB) (*x509.Certificate, crypto.Signer) {
	t.Helper()
	key, err := issuer.GenerateRootKey()
	must(t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "intermediate"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
	}, m.root, key.Public(), m.rootKey)
	must(t, err)
	intermediate, err := x509.ParseCertificate(der)
	must(t, err)
	return intermediate, key
}

func (m *mesh) awaitReady(t testing.TB, name string) {
	t.Helper()
	testkit.Condition(t, "issuer "+name, func(ctx context.Context) (bool, error) {
		object, err := objects.Resource(resource("issuers")).Namespace(m.namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		return conditionHolds(object, "Ready"), nil
	})
}

func conditionHolds(object *unstructured.Unstructured, kind string) bool {
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, c := range conditions {
		if c, ok := c.(map[string]any); ok && c["type"] == kind {
			return c["status"] == "True"
		}
	}
	return false
}
