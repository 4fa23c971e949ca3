package certmanager_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/certmanager"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

const bundle = "osm-ca-bundle"

func resource(plural string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "cert-manager.io", Version: "v1", Resource: plural}
}

// mesh is a mesh namespace with an issuer of cert-manager's.
type mesh struct {
	namespace string
	root      *x509.Certificate
	rootKey   crypto.Signer
}

// newMesh makes a namespace with what a mesh is given: the issuer osm-ca, its
// root in osm-ca-bundle, and the rights that osm-controller needs.
func newMesh(t testing.TB) *mesh {
	t.Helper()
	namespace, err := kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "osm-system-"},
	}, metav1.CreateOptions{})
	must(t, err)
	root, key, err := tresor.NewRoot()
	must(t, err)
	m := &mesh{namespace.Name, root, key}
	m.grant(t)
	m.createCA(t, "osm-ca", []*x509.Certificate{root}, key)
	m.setBundle(t, map[string][]byte{rootsecret.CertificateKey: pemOf("CERTIFICATE", root.Raw)})
	return m
}

// grant gives osm-controller what it needs, and nothing else.
func (m *mesh) grant(t testing.TB) {
	t.Helper()
	_, err := kube.RbacV1().Roles(m.namespace).Create(t.Context(), &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: "osm-controller"},
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{"cert-manager.io"}, Resources: []string{"certificaterequests"}, Verbs: []string{"create", "list", "watch", "delete"}},
			{APIGroups: []string{"cert-manager.io"}, Resources: []string{"issuers"}, Verbs: []string{"get"}},
		},
	}, metav1.CreateOptions{})
	must(t, err)
	_, err = kube.RbacV1().RoleBindings(m.namespace).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "osm-controller"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "osm-controller"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: m.namespace, Name: "osm-controller"}},
	}, metav1.CreateOptions{})
	must(t, err)
	m.awaitRights(t)
}

// awaitRights waits until the API server's authorizer knows of what was granted.
func (m *mesh) awaitRights(t testing.TB) {
	t.Helper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:               m.as("osm-controller").Impersonate.UserName,
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: m.namespace, Group: "cert-manager.io", Resource: "certificaterequests", Verb: "list"},
	}}
	must(t, wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		answer, err := kube.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		return err == nil && answer.Status.Allowed, err
	}))
}

// setBundle replaces the Secret with the roots; there is none with nil.
func (m *mesh) setBundle(t testing.TB, data map[string][]byte) {
	t.Helper()
	secrets := kube.CoreV1().Secrets(m.namespace)
	must(t, secrets.DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{FieldSelector: "metadata.name=" + bundle}))
	if data == nil {
		return
	}
	_, err := secrets.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: bundle}, Data: data}, metav1.CreateOptions{})
	must(t, err)
}

// roots reads the Secret, as the mesh does.
func (m *mesh) roots(ctx context.Context) (trustbundle.TrustBundle, error) {
	list, err := kube.CoreV1().Secrets(m.namespace).List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + bundle})
	if err != nil {
		return trustbundle.TrustBundle{}, err
	}
	if len(list.Items) == 0 {
		return trustbundle.TrustBundle{}, rootsecret.Missing(m.namespace, bundle)
	}
	roots, err := rootsecret.ParseRoots(&list.Items[0], "", time.Now())
	return roots.TrustBundle, err
}

// as is the configuration of a client with the rights of a service account.
func (m *mesh) as(account string) *rest.Config {
	c := rest.CopyConfig(config)
	c.Impersonate.UserName = "system:serviceaccount:" + m.namespace + ":" + account
	return c
}

// newIssuer runs an Issuer until the test ends.
func (m *mesh) newIssuer(t testing.TB, change func(*certmanager.Options)) *certmanager.Issuer {
	t.Helper()
	client, err := certmanager.NewClient(m.as("osm-controller"))
	must(t, err)
	o := certmanager.Options{
		Client: client, Namespace: m.namespace, Issuer: certmanager.Reference{Name: "osm-ca"}, Roots: m.roots,
		Mesh: "osm", Holder: "osm-controller-1", Timeout: 20 * time.Second, Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&o)
	}
	i, err := certmanager.New(o)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- i.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		must(t, <-done)
	})
	return i
}

// requests are the CertificateRequests that there are.
func (m *mesh) requests() dynamic.ResourceInterface {
	return objects.Resource(resource("certificaterequests")).Namespace(m.namespace)
}

// expectNothingLeft wants no CertificateRequest to be left.
func (m *mesh) expectNothingLeft(t testing.TB) {
	t.Helper()
	list, err := m.requests().List(t.Context(), metav1.ListOptions{})
	must(t, err)
	for _, request := range list.Items {
		t.Errorf("%s is left", request.GetName())
	}
}

// leave makes a request as a replica of the mesh does that dies then.
func (m *mesh) leave(t testing.TB, holder, name string) {
	t.Helper()
	csr, err := newRequest(t).CSR()
	must(t, err)
	_, err = m.requests().Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "cert-manager.io/v1", "kind": "CertificateRequest",
		"metadata": map[string]any{"name": name, "labels": map[string]any{
			"app.kubernetes.io/name": "openservicemesh.io", "app.kubernetes.io/instance": "osm",
			"openservicemesh.io/certificate-holder": holder,
		}},
		"spec": map[string]any{
			"request":   base64.StdEncoding.EncodeToString(pemOf("CERTIFICATE REQUEST", csr)),
			"issuerRef": map[string]any{"name": "osm-ca"},
		},
	}}, metav1.CreateOptions{})
	must(t, err)
}

// names are those of the requests that there are.
func (m *mesh) names(t testing.TB, ctx context.Context) (names []string) {
	t.Helper()
	list, err := m.requests().List(ctx, metav1.ListOptions{})
	must(t, err)
	for _, request := range list.Items {
		names = append(names, request.GetName())
	}
	return names
}

func newRequest(t testing.TB) *issuer.Request {
	t.Helper()
	req, err := issuer.NewServiceRequest(issuer.ECDSAP256, newIdentity(t, "bookstore-v2"))
	must(t, err)
	return req
}

func newIdentity(t testing.TB, serviceAccount string) identity.Identity {
	t.Helper()
	id, err := identity.New("cluster.local", "bookstore", serviceAccount)
	must(t, err)
	return id
}

// expectReason wants an Error for that reason that says so.
func expectReason(t testing.TB, err error, reason certmanager.Reason, says ...string) {
	t.Helper()
	var failure *certmanager.Error
	if !errors.As(err, &failure) || failure.Reason != reason {
		t.Fatalf("error %v, want reason %s", err, reason)
	}
	for _, text := range append(says, "to fix it, ") {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q lacks %q", err, text)
		}
	}
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
