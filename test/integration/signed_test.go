package integration

import (
	"context"
	"crypto/x509"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/test/authority"
	"github.com/osm-edge/osm/test/cluster"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/testkit"
)

func TestAMeshThatVaultSignsFor(t *testing.T) {
	t.Parallel()
	vault, err := authority.StartVault(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := vault.Stop(); err != nil {
			t.Error(err)
		}
	})
	values, err := vault.Values()
	if err != nil {
		t.Fatal(err)
	}
	root, err := vault.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, client := startMesh(t, values)
	m := signed{c, client, root, deploy(t, client, "bookbuyer", "bookbuyer")}
	defer m.logIfFailed(t)
	m.check(t)
	t.Run("goes on while Vault is sealed", func(t *testing.T) { testSealedVault(t, m, vault) })
}

func TestAMeshThatCertManagerSignsFor(t *testing.T) {
	t.Parallel()
	c, client := startCluster(t)
	manager, err := authority.StartCertManager(testkit.Context(t, 2*time.Minute), c, authority.CertManagerOptions{Namespace: mesh.Namespace})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := manager.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := mesh.Install(testkit.Context(t, time.Minute), c.Config(), manager.Values()); err != nil {
		showLogs(t, c)
		t.Fatal(err)
	}
	m := signed{c, client, manager.Root(), deploy(t, client, "bookbuyer", "bookbuyer")}
	defer m.logIfFailed(t)
	m.check(t)
}

// signed is a mesh that an authority outside of it signs for.
type signed struct {
	cluster *cluster.Cluster
	client  kubernetes.Interface
	root    *x509.Certificate
	pod     *corev1.Pod // of the mesh
}

func (m signed) logIfFailed(t *testing.T) {
	if t.Failed() {
		showLogs(t, m.cluster)
	}
}

// check checks what holds for every such authority. The pod's sidecar runs on.
func (m signed) check(t *testing.T) {
	_, state := runProxy(t, m.cluster, m.client, m.pod)
	t.Run("certifies by its root", func(t *testing.T) {
		if err := chainError(state, m.root); err != nil {
			t.Error(err)
		}
		if !state.Bundle().Equal(trustbundle.New(m.root)) {
			t.Errorf("trusted is %s", state.Bundle())
		}
	})
	t.Run("has its root in the Secret, and nothing else", m.checkRootSecret)
	t.Run("has webhooks that do not need it", m.checkWebhooks)
	t.Run("has no key of a root in any Secret", m.checkKeys)
	t.Run("says that it is in use", func(t *testing.T) {
		newRootObjects(t, m.cluster).await(t, firstRoot, "True Reached", "True Signing")
	})
	t.Run("validates its configuration", func(t *testing.T) { testValidation(t, m.client) })
}

func (m signed) checkRootSecret(t *testing.T) {
	testkit.Condition(t, "the root is in the Secret", func(ctx context.Context) (bool, error) {
		list, err := m.client.CoreV1().Secrets(mesh.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + rootSecret})
		if err != nil || len(list.Items) == 0 {
			return false, err
		}
		roots, err := rootsecret.ParseRoots(&list.Items[0], "", time.Now())
		return err == nil && roots.Equal(trustbundle.New(m.root)), err
	})
}

func (m signed) checkWebhooks(t *testing.T) {
	bundle := m.caBundle(t)
	for _, service := range []string{"osm-injector", "osm-validator", "osm-bootstrap"} {
		leaf := parseCertificate(t, getSecret(t, m.client, service+"-tls").Data[corev1.TLSCertKey])
		if _, err := leaf.Verify(x509.VerifyOptions{DNSName: service + ".osm-system.svc", Roots: bundle.Pool()}); err != nil {
			t.Errorf("%s: %v", service, err)
		}
		if leaf.CheckSignatureFrom(m.root) == nil {
			t.Errorf("%s serves with a certificate of the root", service)
		}
	}
}

// checkKeys looks for those of the mesh's root, and of the CAs that the webhooks are verified with.
func (m signed) checkKeys(t *testing.T) {
	roots := m.caBundle(t).Union(trustbundle.New(m.root)).Roots()
	found, err := authority.FindKeys(t.Context(), m.client, roots)
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Places) > 0 || found.Keys < 3 {
		t.Errorf("found %+v, want the keys of three webhooks and none of a root", found)
	}
}

func (m signed) caBundle(t *testing.T) trustbundle.TrustBundle {
	t.Helper()
	webhook, err := m.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(t.Context(), "osm-webhook-osm", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := trustbundle.Parse(webhook.Webhooks[0].ClientConfig.CABundle)
	if err != nil {
		t.Fatal(err)
	}
	return bundle
}
