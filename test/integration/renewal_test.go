package integration

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/manifests"
	"github.com/osm-edge/osm/test/mesh"
)

// ending makes a root, as changed, that has lived for 99 hours and has one left.
func ending(t *testing.T, change func(*x509.Certificate)) pair {
	t.Helper()
	return newPair(t, func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-99*time.Hour), time.Now().Add(time.Hour)
		change(c)
	})
}

func createRoot(t *testing.T, client kubernetes.Interface, labels map[string]string, root pair) *corev1.Secret {
	t.Helper()
	secret, err := client.CoreV1().Secrets(mesh.Namespace).Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: rootSecret, Labels: labels},
		Data:       map[string][]byte{"ca.crt": root.cert, "private.key": root.key, "expiration": expirationOf(t, root)},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func expirationOf(t *testing.T, root pair) []byte {
	t.Helper()
	return parseCertificate(t, root.cert).NotAfter.UTC().AppendFormat(nil, "2006-01-02T15:04:05.000Z")
}

func TestOneOfManyBootstrapsRenewsARootThatTheMeshMade(t *testing.T) {
	t.Parallel()
	c, client := startWithoutDeployments(t)
	own := ending(t, func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: "osm-ca.openservicemesh.io", SerialNumber: c.SerialNumber.Text(16)}
	})
	before := createRoot(t, client, manifests.Labels(mesh.Name, "v0"), own)
	bootstrapOnce(t, c, client, "renews", 10)
	after := getSecret(t, client, rootSecret)
	root := readRoot(t, client)
	if after.UID != before.UID || time.Until(root.Certificate.NotAfter) < 87000*time.Hour {
		t.Errorf("the root ends at %s", root.Certificate.NotAfter)
	}
	if n := countEvents(t, client, "RootRenewed"); n != 1 {
		t.Errorf("%d events of a renewal", n)
	}
	mustServeFrom(t, client, root.Certificate)
	t.Run("an operator's own is left alone", func(t *testing.T) {
		deleteSecret(t, client, rootSecret)
		before := createRoot(t, client, nil, ending(t, func(*x509.Certificate) {}))
		bootstrapOnce(t, c, client, "reports", 5)
		if getSecret(t, client, rootSecret).ResourceVersion != before.ResourceVersion {
			t.Error("it is written to")
		}
		if n := countEvents(t, client, "RootExpiring"); n != 1 {
			t.Errorf("%d events that it expires", n)
		}
		if n := countEvents(t, client, "RootRenewed"); n != 1 {
			t.Errorf("%d events of a renewal", n)
		}
	})
}

func countEvents(t *testing.T, client kubernetes.Interface, reason string) int {
	t.Helper()
	events, err := client.EventsV1().Events(mesh.Namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range events.Items {
		if e.Reason == reason && e.Regarding.Name == rootSecret {
			n++
		}
	}
	return n
}
