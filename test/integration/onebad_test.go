package integration

import (
	"bytes"
	"context"
	"net"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/testkit"
)

func TestOneThatIsRefusedDoesNotTakeTheRestAway(t *testing.T) {
	t.Parallel()
	c, client := startMesh(t, nil)
	defer func() {
		if t.Failed() {
			showLogs(t, c)
		}
	}()
	bootstrap, err := mesh.Pod(testkit.Context(t, time.Minute), client, mesh.Namespace, "osm-bootstrap")
	if err != nil {
		t.Fatal(err)
	}
	readyz := func() string { return get(t, c, net.JoinHostPort(bootstrap.Status.PodIP, "9091"), "/readyz") }
	roots := newRootObjects(t, c)
	secrets := client.CoreV1().Secrets(mesh.Namespace)
	t.Run("a Passive root", func(t *testing.T) {
		garbage := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "second"}, Data: map[string][]byte{"ca.crt": []byte("garbage")}}
		if _, err := secrets.Create(t.Context(), garbage, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		roots.create(t, "second", v1.Passive)
		roots.await(t, "second", "False Refused", "False RootsUnknown")
		testkit.Condition(t, "osm-bootstrap is ready, and says it", func(context.Context) (bool, error) {
			got := readyz()
			return strings.HasPrefix(got, "ok\nwarning: secret osm-system/second is refused"), nil
		})
		testClearedBundle(t, client)
		testDeletedRoot(t, c, client)
	})
	t.Run("an immutable root without an expiration", func(t *testing.T) {
		own, fixed := newPair(t, nil), true
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: rootSecret}, Immutable: &fixed, Data: map[string][]byte{"ca.crt": own.cert, "private.key": own.key}}
		deleteSecret(t, client, rootSecret)
		testkit.Condition(t, "the Secret is the operator's", func(ctx context.Context) (bool, error) {
			_, err := secrets.Create(ctx, secret, metav1.CreateOptions{})
			if err == nil {
				return true, nil
			}
			deleteSecret(t, client, rootSecret) // osm-bootstrap was first
			return false, nil
		})
		testkit.Condition(t, "the webhooks are called by it", func(context.Context) (bool, error) {
			for _, bundle := range caBundles(t, client) {
				if !bytes.Contains(bundle, bytes.TrimSpace(own.cert)) {
					return false, nil
				}
			}
			return strings.HasPrefix(readyz(), "ok\nwarning: secret osm-system/second is refused"), nil
		})
		root := parseCertificate(t, own.cert)
		for _, service := range []string{"osm-injector", "osm-validator", "osm-bootstrap"} {
			testkit.Condition(t, service+" is served from it", func(context.Context) (bool, error) {
				leaf := parseCertificate(t, getSecret(t, client, service+"-tls").Data[corev1.TLSCertKey])
				return leaf.CheckSignatureFrom(root) == nil, nil
			})
		}
		roots.await(t, firstRoot, "True Reached", "True Signing")
		if data := getSecret(t, client, rootSecret).Data; len(data) != 2 {
			t.Errorf("the Secret has %d keys", len(data))
		}
	})
}
