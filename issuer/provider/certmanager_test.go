package provider

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/manifests/crd/v1"
	cm "github.com/osm-edge/osm/test/certmanager"
	"github.com/osm-edge/osm/test/cluster"
)

// startCertManager returns a mesh on an API server with cert-manager.
func startCertManager(t *testing.T) (*mesh, dynamic.Interface) {
	t.Helper()
	c, err := cluster.Connect(t.Context(), os.Stderr)
	must(t, err)
	t.Cleanup(func() { must(t, c.Stop()) })
	must(t, cm.Install(t.Context(), c.Config()))
	controllers, err := cm.Start(t.Context(), cm.Options{Kubeconfig: c.Kubeconfig(), Log: os.Stderr})
	must(t, err)
	t.Cleanup(func() { must(t, controllers.Stop()) })
	client, err := kubernetes.NewForConfig(c.Config())
	must(t, err)
	objects, err := dynamic.NewForConfig(c.Config())
	must(t, err)
	_, err = client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	must(t, err)
	return newMeshOn(t, client, c.Config()), objects
}

// createCA makes the issuer osm-ca of cert-manager, and returns its root.
func (m *mesh) createCA(t *testing.T, objects dynamic.Interface) *x509.Certificate {
	t.Helper()
	root, key, err := tresor.NewRoot()
	must(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	m.createSecret(t, "issuer", map[string][]byte{
		corev1.TLSCertKey:       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw}),
		corev1.TLSPrivateKeyKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	})
	issuers := objects.Resource(schema.GroupVersionResource{Group: "cert-manager.io", Version: "v1", Resource: "issuers"}).Namespace(namespace)
	_, err = issuers.Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "cert-manager.io/v1", "kind": "Issuer", "metadata": map[string]any{"name": "osm-ca"},
		"spec": map[string]any{"ca": map[string]any{"secretName": "issuer"}},
	}}, metav1.CreateOptions{})
	must(t, err)
	return root
}

func (m *mesh) createSecret(t *testing.T, name string, data map[string][]byte) {
	t.Helper()
	_, err := m.client.CoreV1().Secrets(namespace).Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: data}, metav1.CreateOptions{})
	must(t, err)
}

func certManagerOf(name string) v1.Provider {
	return v1.Provider{CertManager: &v1.CertManager{IssuerRef: v1.IssuerReference{Name: name}}}
}

func TestCertManagerSignsForTheRootsThatAreGiven(t *testing.T) {
	m, objects := startCertManager(t)
	first := m.makeRoot(t, "tresor")
	m.create(t, "tresor", v1.Active, tresorOf("tresor"))
	m.run(t)
	m.awaitStatus(t, "tresor", "True Reached", "True Signing")

	m.create(t, "cert-manager", v1.Active, certManagerOf("osm-ca"))
	m.awaitStatus(t, "cert-manager", "False SecretMissing", "False RootsUnknown")
	m.createSecret(t, "osm-ca-bundle", map[string][]byte{rootsecret.CertificateKey: []byte("garbage")})
	m.awaitStatus(t, "cert-manager", "False Refused", "False RootsUnknown")
	m.deleteSecret(t, "osm-ca-bundle")

	root := m.createCA(t, objects)
	m.createSecret(t, "osm-ca-bundle", map[string][]byte{rootsecret.CertificateKey: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw})})
	m.awaitStatus(t, "cert-manager", "True Reached", "True Signing")
	m.awaitStatus(t, "tresor", "True Reached", "True Superseded")
	m.mustSign(t, root, first, root)

	m.change(t, "cert-manager", func(s *v1.MeshRootCertificateSpec) {
		s.Provider.CertManager.RootsSecretRef = &v1.SecretReference{Name: "roots"}
	})
	m.awaitStatus(t, "cert-manager", "False SecretMissing", "True Signing")
	m.createSecret(t, "roots", map[string][]byte{rootsecret.CertificateKey: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw})})
	m.awaitStatus(t, "cert-manager", "True Reached", "True Signing")
	m.mustSign(t, root, first, root)

	m.change(t, "cert-manager", func(s *v1.MeshRootCertificateSpec) { s.Provider = certManagerOf("unheard-of") })
	m.awaitStatus(t, "cert-manager", "False Failing", "True Signing")
	m.mustSign(t, root, first, root)
}
