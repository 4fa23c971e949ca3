package bootstrap

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	extensionsfake "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset/fake"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
	v1 "github.com/osm-edge/osm/manifests/crd/v1"
)

var meshLabels = map[string]string{
	"app.kubernetes.io/name": "openservicemesh.io", "app.kubernetes.io/instance": "osm", "app.kubernetes.io/version": "v1",
}

// fakeMesh is a Bootstrap and what it was seen to do.
type fakeMesh struct {
	*Bootstrap
	client     *fake.Clientset
	extensions *extensionsfake.Clientset
	objects    *dynamicfake.FakeDynamicClient // the mesh's own
	trusted    func() (trustbundle.TrustBundle, error)
	current    trustbundle.TrustBundle
	onPublish  func(trustbundle.TrustBundle)
	published  []published
	// publishFails is how publishing comes out.
	publishFails error
	refused      []*rootsecret.RefusedError
	// renewed and expiring name Secrets and roots.
	renewed, expiring []string
	logged            bytes.Buffer
}

// published is a bundle, and which serving certificates there were by then.
type published struct {
	bundle trustbundle.TrustBundle
	served int
}

// newMesh returns a mesh whose root is that of tresor, with these objects.
func newMesh(objects ...runtime.Object) *fakeMesh {
	return newMeshOf(presetRoot, objects...)
}

// newMeshOf returns a mesh whose first root is the given one.
func newMeshOf(root string, objects ...runtime.Object) *fakeMesh {
	m := &fakeMesh{
		client:     fake.NewClientset(append(objects, newPreset(presetConfig, root))...),
		extensions: extensionsfake.NewClientset(),
		objects:    newObjects(),
		trusted:    func() (trustbundle.TrustBundle, error) { return trustbundle.TrustBundle{}, nil },
	}
	m.extensions.PrependReactor("patch", "*", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, &apiextensionsv1.CustomResourceDefinition{Status: apiextensionsv1.CustomResourceDefinitionStatus{
			Conditions: []apiextensionsv1.CustomResourceDefinitionCondition{{Type: apiextensionsv1.Established, Status: apiextensionsv1.ConditionTrue}},
		}}, nil
	})
	m.Bootstrap = New(Options{
		MeshNamespace:        "osm-system",
		Secrets:              m.client.CoreV1().Secrets("osm-system"),
		ConfigMaps:           m.client.CoreV1().ConfigMaps("osm-system"),
		CRDs:                 m.extensions.ApiextensionsV1().CustomResourceDefinitions(),
		MeshConfigs:          m.objects.Resource(v1.GroupVersion.WithResource("meshconfigs")).Namespace("osm-system"),
		MeshRootCertificates: m.objects.Resource(v1.GroupVersion.WithResource("meshrootcertificates")).Namespace("osm-system"),
		Preset:               "osm-preset",
		RootSecret:           "osm-ca-bundle",
		Labels:               meshLabels,
		Trusted: func(context.Context) (Trusted, error) {
			all, err := m.trusted()
			return Trusted{All: all, Current: m.current}, err
		},
		CABundles: m,
		Reporter:  m,
		Logger:    slog.New(slog.NewTextHandler(&m.logged, nil)),
	})
	return m
}

func newObjects() *dynamicfake.FakeDynamicClient {
	return dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		v1.GroupVersion.WithResource("meshconfigs"):          "MeshConfigList",
		v1.GroupVersion.WithResource("meshrootcertificates"): "MeshRootCertificateList",
	})
}

const (
	presetConfig = `
apiVersion: config.openservicemesh.io/v1
kind: MeshConfig
metadata:
  name: osm-mesh-config
spec:
  certificate:
    serviceCertValidityDuration: 24h
`
	presetRoot = `
apiVersion: config.openservicemesh.io/v1
kind: MeshRootCertificate
metadata:
  name: osm-mesh-root-certificate
spec:
  trustDomain: cluster.local
  role: Active
  provider:
    tresor:
      secretRef:
        name: osm-ca-bundle
`
)

func newPreset(config, root string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: "osm-preset"},
		Data:       map[string]string{"mesh-config.yaml": config, "mesh-root-certificate.yaml": root},
	}
}

// Publish implements CABundles.
func (m *fakeMesh) Publish(ctx context.Context, bundle []byte) (bool, error) {
	parsed, err := trustbundle.Parse(bundle)
	if err != nil {
		return false, err
	}
	p := published{bundle: parsed}
	for _, name := range ServingSecrets() {
		if _, err := m.Secrets.Get(ctx, name, metav1.GetOptions{}); err == nil {
			p.served++
		}
	}
	changed := len(m.published) == 0 || !m.lastPublished().Equal(parsed)
	m.published = append(m.published, p)
	if m.onPublish != nil {
		m.onPublish(parsed)
	}
	return changed, m.publishFails
}

// Refused implements Reporter.
func (m *fakeMesh) Refused(_ context.Context, refused *rootsecret.RefusedError) error {
	m.refused = append(m.refused, refused)
	return nil
}

// Renewed implements Reporter.
func (m *fakeMesh) Renewed(_ context.Context, secret string, old *x509.Certificate) error {
	m.renewed = append(m.renewed, secret+" "+old.Subject.CommonName)
	return nil
}

// Expiring implements Reporter.
func (m *fakeMesh) Expiring(_ context.Context, secret string, root *x509.Certificate) error {
	m.expiring = append(m.expiring, secret+" "+root.Subject.CommonName)
	return nil
}

// setProvider has another authority sign.
func (m *fakeMesh) setProvider(t *testing.T, provider map[string]any) {
	t.Helper()
	root, err := m.MeshRootCertificates.Get(t.Context(), "osm-mesh-root-certificate", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := unstructured.SetNestedMap(root.Object, provider, "spec", "provider"); err != nil {
		t.Fatal(err)
	}
	if _, err := m.MeshRootCertificates.Update(t.Context(), root, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// addRoot creates a MeshRootCertificate whose Secret has its name.
func (m *fakeMesh) addRoot(t *testing.T, name, role string) {
	t.Helper()
	root, err := m.MeshRootCertificates.Get(t.Context(), "osm-mesh-root-certificate", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	root.SetName(name)
	root.SetCreationTimestamp(metav1.Now())
	root.Object["spec"] = map[string]any{"role": role, "provider": map[string]any{"tresor": map[string]any{"secretRef": map[string]any{"name": name}}}}
	if _, err := m.MeshRootCertificates.Create(t.Context(), root, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (m *fakeMesh) setRole(t *testing.T, name, role string) {
	t.Helper()
	patch := fmt.Appendf(nil, `{"spec":{"role":%q}}`, role)
	if _, err := m.MeshRootCertificates.Patch(t.Context(), name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (m *fakeMesh) secret(t *testing.T, name string) *corev1.Secret {
	t.Helper()
	secret, err := m.Secrets.Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// currentRoot returns the root that the mesh has.
func (m *fakeMesh) currentRoot(t *testing.T) *x509.Certificate {
	t.Helper()
	root, err := rootsecret.Parse(m.secret(t, "osm-ca-bundle"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return root.Certificate
}

func mustOnce(t *testing.T, m *fakeMesh) {
	t.Helper()
	if err := m.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// newShortCA returns a CA whose root ends after the given time.
func newShortCA(t *testing.T, life time.Duration) *tresor.CA {
	t.Helper()
	ca, err := tresor.New(newShortRoot(t, life))
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// newShortRoot returns one of an operator.
func newShortRoot(t *testing.T, life time.Duration) (*x509.Certificate, crypto.Signer) {
	t.Helper()
	key, err := issuer.GenerateRootKey()
	if err != nil {
		t.Fatal(err)
	}
	return sign(t, &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "root"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(life),
		KeyUsage:              x509.KeyUsageCertSign,
		IsCA:                  true,
		BasicConstraintsValid: true,
	}, key), key
}

func sign(t *testing.T, template *x509.Certificate, key crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// serving returns the data of a Secret with a certificate of the CA.
func serving(t *testing.T, ca *tresor.CA, host string, ttl time.Duration) map[string][]byte {
	t.Helper()
	req, err := issuer.NewServingRequest(issuer.DefaultKeyAlgorithm, host)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := ca.Issue(t.Context(), req, ttl)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := req.Certificate(chain)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{corev1.TLSCertKey: cert.ChainPEM(), corev1.TLSPrivateKeyKey: cert.KeyPEM()}
}

func leafOf(t *testing.T, secret *corev1.Secret) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(secret.Data[corev1.TLSCertKey])
	if block == nil {
		t.Fatalf("secret %s holds no certificate", secret.Name)
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}
