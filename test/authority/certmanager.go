package authority

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	corev1apply "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/test/certmanager"
	"github.com/osm-edge/osm/test/cluster"
)

// What the guide calls them.
const (
	// IssuerName is the name of cert-manager's Issuer, and of the Secret of its CA.
	IssuerName = "osm-ca"
	// RootSecret is the Secret of the mesh's roots.
	RootSecret = "osm-ca-bundle"
)

var issuers = schema.GroupVersionResource{Group: "cert-manager.io", Version: "v1", Resource: "issuers"}

// CertManager is a real one, with an Issuer in the mesh namespace. The Issuer is an intermediate of a root whose key is not in
// the cluster; the root's certificate is in the Secret where the mesh looks for it.
type CertManager struct {
	*certmanager.Controllers
	client  kubernetes.Interface
	objects dynamic.Interface
	options CertManagerOptions
	ca      CA // that signs
}

// CertManagerOptions say how cert-manager is set up.
type CertManagerOptions struct {
	// Namespace is the mesh's. It is created if it is not there. Required.
	Namespace string
	// RootSecret is the Secret that the operator keeps the roots in. Default: RootSecret.
	RootSecret string
	// Log takes what cert-manager logs. Default: none.
	Log io.Writer
}

// StartCertManager installs cert-manager, runs it, and makes the Issuer in the mesh namespace. The caller stops it.
func StartCertManager(ctx context.Context, c *cluster.Cluster, o CertManagerOptions) (*CertManager, error) {
	o.RootSecret = cmp.Or(o.RootSecret, RootSecret)
	if err := certmanager.Install(ctx, c.Config()); err != nil {
		return nil, err
	}
	controllers, err := certmanager.Start(ctx, certmanager.Options{Kubeconfig: c.Kubeconfig(), Log: o.Log})
	if err != nil {
		return nil, err
	}
	m := &CertManager{Controllers: controllers, options: o}
	if err := m.setUp(ctx, c); err != nil {
		return nil, errors.Join(err, m.Stop())
	}
	return m, nil
}

func (m *CertManager) setUp(ctx context.Context, c *cluster.Cluster) (err error) {
	if m.client, err = kubernetes.NewForConfig(c.Config()); err != nil {
		return err
	}
	if m.objects, err = dynamic.NewForConfig(c.Config()); err != nil {
		return err
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: m.options.Namespace}}
	_, err = m.client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	ca, err := NewCA()
	if err != nil {
		return err
	}
	if err := m.Sign(ctx, ca); err != nil {
		return err
	}
	if err := m.createIssuer(ctx); err != nil {
		return err
	}
	return m.Trust(ctx, m.Root())
}

// Values are the chart's values for a mesh that this cert-manager signs for. Its
// clock is everyone's: certificates are held back no longer than shows.
func (m *CertManager) Values() map[string]any {
	return map[string]any{"osm": map[string]any{
		"certificateProvider": map[string]any{"kind": "cert-manager"},
		"certmanager":         map[string]any{"issuerName": IssuerName},
		"clockSkew":           "1s",
	}}
}

// Root is that of the CA that signs.
func (m *CertManager) Root() *x509.Certificate { return m.ca.Root }

// Sign has the Issuer sign with the CA from now on. It does not touch what is trusted.
func (m *CertManager) Sign(ctx context.Context, ca CA) error {
	data, err := ca.secretData()
	if err != nil {
		return err
	}
	m.ca = ca
	return m.write(ctx, IssuerName, corev1.SecretTypeTLS, data)
}

// Trust writes the roots to the Secret where the mesh looks for them.
func (m *CertManager) Trust(ctx context.Context, roots ...*x509.Certificate) error {
	var bundle []byte
	for _, root := range roots {
		bundle = append(bundle, certificatePEM(root)...)
	}
	return m.write(ctx, m.options.RootSecret, corev1.SecretTypeOpaque, map[string][]byte{"ca.crt": bundle})
}

func (m *CertManager) write(ctx context.Context, name string, kind corev1.SecretType, data map[string][]byte) error {
	secret := corev1apply.Secret(name, m.options.Namespace).WithType(kind).WithData(data)
	_, err := m.client.CoreV1().Secrets(m.options.Namespace).Apply(ctx, secret, metav1.ApplyOptions{FieldManager: "operator", Force: true})
	return err
}

func (m *CertManager) createIssuer(ctx context.Context) error {
	object := m.objects.Resource(issuers).Namespace(m.options.Namespace)
	_, err := object.Create(ctx, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "cert-manager.io/v1", "kind": "Issuer", "metadata": map[string]any{"name": IssuerName},
		"spec": map[string]any{"ca": map[string]any{"secretName": IssuerName}},
	}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	err = wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		issuer, err := object.Get(ctx, IssuerName, metav1.GetOptions{})
		return err == nil && ready(issuer), err
	})
	if err != nil {
		return fmt.Errorf("issuer %s is not ready: %w", IssuerName, err)
	}
	return nil
}

func ready(object *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions") // none is not ready
	for _, c := range conditions {
		if condition, ok := c.(map[string]any); ok && condition["type"] == "Ready" {
			return condition["status"] == "True"
		}
	}
	return false
}
