package integration

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/testkit"
)

// signedBy are the chart's values for a kind of authority.
func signedBy(kind string) map[string]any {
	return map[string]any{"osm": map[string]any{
		"certificateProvider": map[string]any{"kind": kind},
		"vault":               map[string]any{"host": "vault.vault.svc", "kubernetesAuth": map[string]any{"role": "osm"}},
	}}
}

func TestFiftyBootstrapsAtOnceNeedNoRootOfVault(t *testing.T) {
	t.Parallel()
	c, client := startWithoutDeploymentsOf(t, signedBy("vault"))
	bootstrapOnce(t, c, client, "together", 50)
	checkOwnCA(t, client)
	noKeyOfACA(t, client)
	if _, err := client.CoreV1().Secrets(mesh.Namespace).Get(t.Context(), rootSecret, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the root's Secret: %v", err)
	}
	first := secretVersions(t, client)
	t.Run("and again they change no byte", func(t *testing.T) {
		bootstrapOnce(t, c, client, "again", 5)
		if again := secretVersions(t, client); !maps.Equal(first, again) {
			t.Errorf("resource versions were\n%v\nand are\n%v", first, again)
		}
	})
	t.Run("and the roots of Vault are shown as they are known", func(t *testing.T) {
		root := newPair(t, nil)
		record := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "osm-trust-bundle"}, Data: map[string]string{"ca.crt": string(root.cert)}}
		if _, err := client.CoreV1().ConfigMaps(mesh.Namespace).Create(t.Context(), record, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		bootstrapOnce(t, c, client, "shows", 5)
		data := getSecret(t, client, rootSecret).Data
		if string(data["ca.crt"]) != string(root.cert) || len(data["expiration"]) == 0 || len(data) != 2 {
			t.Errorf("%d keys are shown", len(data))
		}
		checkOwnCA(t, client)
		noKeyOfACA(t, client)
	})
}

// checkOwnCA checks that every server's certificate verifies with every caBundle.
func checkOwnCA(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	for what, bundle := range caBundles(t, client) {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(bundle)
		for _, service := range []string{"osm-injector", "osm-validator", "osm-bootstrap"} {
			leaf := parseCertificate(t, getSecret(t, client, service+"-tls").Data[corev1.TLSCertKey])
			if _, err := leaf.Verify(x509.VerifyOptions{DNSName: service + ".osm-system.svc", Roots: pool}); err != nil {
				t.Errorf("%s, by the caBundle of %s: %v", service, what, err)
			}
			if !strings.HasPrefix(leaf.Issuer.CommonName, "osm-webhooks.") {
				t.Errorf("%s is signed by %s", service, leaf.Issuer)
			}
		}
	}
}

// noKeyOfACA scans every Secret of the cluster.
func noKeyOfACA(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	list, err := client.CoreV1().Secrets("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var authorities []*x509.Certificate
	for _, bundle := range caBundles(t, client) {
		certs, err := trustbundle.ParseCertificates(bundle)
		if err != nil {
			t.Fatal(err)
		}
		authorities = append(authorities, certs...)
	}
	keys := 0
	for _, secret := range list.Items {
		if _, has := secret.Data["private.key"]; has {
			t.Errorf("secret %s/%s has a root's key", secret.Namespace, secret.Name)
		}
		for name, value := range secret.Data {
			for _, key := range privateKeys(value) {
				keys++
				for _, ca := range authorities {
					if key.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(ca.PublicKey) {
						t.Errorf("secret %s/%s, key %s, is the key of %s", secret.Namespace, secret.Name, name, ca.Subject)
					}
				}
			}
		}
	}
	if keys < 3 || len(authorities) < 4 {
		t.Errorf("only %d keys and %d CAs were looked at", keys, len(authorities))
	}
}

func privateKeys(data []byte) (keys []crypto.Signer) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			keys = append(keys, key.(crypto.Signer))
		}
	}
	return keys
}

func TestBootstrapDemandsTheRootOfCertManager(t *testing.T) {
	t.Parallel()
	c, client := startWithoutDeploymentsOf(t, signedBy("cert-manager"))
	good, expired := newPair(t, nil), newPair(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) })
	tests := map[string]struct {
		data map[string][]byte // nil: there is no Secret
		key  string
	}{
		"there is none":  {nil, "ca.crt"},
		"it is empty":    {map[string][]byte{}, "ca.crt"},
		"garbage":        {map[string][]byte{"ca.crt": []byte("garbage")}, "ca.crt"},
		"it has expired": {map[string][]byte{"ca.crt": expired.cert}, "ca.crt"},
		"it has a key":   {map[string][]byte{"ca.crt": good.cert, "private.key": good.key}, "private.key"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: rootSecret}, Data: test.data}
			if test.data != nil {
				var err error
				if before, err = client.CoreV1().Secrets(mesh.Namespace).Create(t.Context(), before, metav1.CreateOptions{}); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { deleteSecret(t, client, rootSecret) })
			}
			message := runFailing(t, c)
			for _, want := range []string{"osm-system/osm-ca-bundle", fmt.Sprintf("key %q", test.key), "to fix it"} {
				if !strings.Contains(message, want) {
					t.Errorf("the error %q does not say %q", message, want)
				}
			}
			wantEvent(t, client, before, test.key)
			if test.data != nil && getSecret(t, client, rootSecret).ResourceVersion != before.ResourceVersion {
				t.Error("the secret was written to")
			}
		})
	}
	t.Run("and goes on once it is there", func(t *testing.T) {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: rootSecret}, Data: map[string][]byte{"ca.crt": good.cert}}
		if _, err := client.CoreV1().Secrets(mesh.Namespace).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		bootstrapOnce(t, c, client, "demands", 5)
		checkOwnCA(t, client)
		noKeyOfACA(t, client)
	})
}

func TestEditsOfTheMeshsObjectsSurviveAnUpgradeWithOtherValues(t *testing.T) {
	t.Parallel()
	c, client := startWithoutDeployments(t)
	bootstrapOnce(t, c, client, "installs", 1)
	own, err := dynamic.NewForConfig(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{"MeshConfig": "osm-mesh-config", "MeshRootCertificate": "osm-mesh-root-certificate"}
	read := func(kind string) *unstructured.Unstructured {
		object, err := objects(own, "v1", kind).Get(t.Context(), names[kind], metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return object
	}
	contains(t, "spec", read("MeshConfig").Object["spec"], map[string]any{"certificate": map[string]any{"serviceCertValidityDuration": "24h"}})
	root := getSecret(t, client, rootSecret)
	before := map[string]string{}
	for kind, patch := range map[string]string{
		"MeshConfig":          `{"spec":{"certificate":{"serviceCertValidityDuration":"2h"},"sidecar":{"logLevel":null}}}`,
		"MeshRootCertificate": `{"metadata":{"annotations":{"edited":"yes"}}}`,
	} {
		edited := editUnvalidated(t, client, objects(own, "v1", kind), names[kind], patch)
		before[kind] = edited.GetResourceVersion()
	}
	values := signedBy("vault")
	values["osm"].(map[string]any)["sidecarLogLevel"] = "debug"
	applyWithoutDeployments(t, c, values)
	bootstrapOnce(t, c, client, "upgrades", 5)
	for kind := range names {
		if after := read(kind); after.GetResourceVersion() != before[kind] {
			t.Errorf("%s became %v", kind, after.Object)
		}
	}
	if list, err := objects(own, "v1", "MeshRootCertificate").List(t.Context(), metav1.ListOptions{}); err != nil || len(list.Items) != 1 {
		t.Errorf("there are %d roots: %v", len(list.Items), err)
	}
	if getSecret(t, client, rootSecret).ResourceVersion != root.ResourceVersion {
		t.Error("the root's Secret was written to")
	}
}

// editUnvalidated edits an object while no osm-controller runs that would validate it.
func editUnvalidated(t *testing.T, client kubernetes.Interface, edited dynamic.ResourceInterface, name, patch string) *unstructured.Unstructured {
	t.Helper()
	const webhook = "osm-validator-mesh-osm"
	ignore := []byte(`[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]`)
	if _, err := client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Patch(t.Context(), webhook, "application/json-patch+json", ignore, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	var object *unstructured.Unstructured
	testkit.Condition(t, "the edit", func(ctx context.Context) (bool, error) {
		var err error
		object, err = edited.Patch(ctx, name, "application/merge-patch+json", []byte(patch), metav1.PatchOptions{})
		return err == nil, nil
	})
	return object
}
