//go:build cli

// Package guide runs the commands of the pages of docs/, as their readers do, a real API server, with a real Vault and a real cert-manager. Its pods are
// no containers: what needs those is left to test/e2e.
package guide

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/test/certmanager"
	"github.com/osm-edge/osm/test/cluster"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/testkit"
	"github.com/osm-edge/osm/test/transcript"
	"github.com/osm-edge/osm/test/vault"
)

// The Japanese pages have the same commands, which a test holds.

func TestTheCertificateGuideIsTrueWhereTheMeshSignsItself(t *testing.T) {
	tryPages(t, []page{{"certificates.md", "built-in"}, {"rotate.md", transcript.Every}, {"bring-your-own-ca.md", transcript.Every}}, func(_ *cluster.Cluster, client kubernetes.Interface) map[string]string {
		deployBookstore(t, client)
		return nil
	})
}

func TestTheCertificateGuideIsTrueOfVault(t *testing.T) {
	tryPages(t, []page{{"vault.md", "vault"}, {"meshrootcertificate.md", transcript.Every}}, func(*cluster.Cluster, kubernetes.Interface) map[string]string {
		server, err := vault.Start(testkit.Context(t, time.Minute), vault.Options{Dir: t.TempDir(), TLS: true})
		if err != nil {
			t.Fatal(err)
		}
		ca := filepath.Join(t.TempDir(), "vault-ca.crt")
		if err := os.WriteFile(ca, server.CA, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { stop(t, server.Stop) })
		address, err := url.Parse(server.Address)
		if err != nil {
			t.Fatal(err)
		}
		return map[string]string{
			"VAULT_ADDR": server.Address, "VAULT_TOKEN": server.Token, "VAULT_CACERT": ca,
			"VAULT_HOST": address.Hostname(), "VAULT_PORT": address.Port(),
		}
	})
}

func TestTheCertificateGuideIsTrueOfCertManager(t *testing.T) {
	tryPages(t, []page{{"cert-manager.md", "cert-manager"}, {"meshrootcertificate.md", transcript.Every}}, func(c *cluster.Cluster, _ kubernetes.Interface) map[string]string {
		if err := certmanager.Install(testkit.Context(t, time.Minute), c.Config()); err != nil {
			t.Fatal(err)
		}
		controllers, err := certmanager.Start(testkit.Context(t, time.Minute), certmanager.Options{Kubeconfig: c.Kubeconfig()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { stop(t, controllers.Stop) })
		return nil
	})
}

// page is a group of a page of docs/.
type page struct{ name, group string }

// tryPages runs pages on a cluster of its own, as prepared.
func tryPages(t *testing.T, pages []page, prepare func(*cluster.Cluster, kubernetes.Interface) map[string]string) {
	t.Parallel()
	c, client := startCluster(t)
	r := newReader(t, c, prepare(c, client))
	for _, p := range pages {
		r.read(p.name, p.group)
	}
}

// deployBookstore deploys what the guide expects to run already.
func deployBookstore(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	ctx := testkit.Context(t, time.Minute)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "bookstore"}}
	if _, err := client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := mesh.Deploy(ctx, client, "bookstore", "bookstore-v2", corev1.Container{Image: "bookstore"}); err != nil {
		t.Fatal(err)
	}
}
