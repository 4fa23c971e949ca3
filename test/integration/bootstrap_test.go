package integration

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/manifests/render"
	"github.com/osm-edge/osm/test/cluster"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/testkit"
)

const rootSecret = "osm-ca-bundle"

// startWithoutDeployments applies the chart but for what would run.
func startWithoutDeployments(t *testing.T) (*cluster.Cluster, kubernetes.Interface) {
	t.Helper()
	return startWithoutDeploymentsOf(t, nil)
}

// startWithoutDeploymentsOf does so with the values.
func startWithoutDeploymentsOf(t *testing.T, values map[string]any) (*cluster.Cluster, kubernetes.Interface) {
	t.Helper()
	c, client := startCluster(t)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: mesh.Namespace}}
	if _, err := client.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	applyWithoutDeployments(t, c, values)
	return c, client
}

func applyWithoutDeployments(t *testing.T, c *cluster.Cluster, values map[string]any) {
	t.Helper()
	objects, err := render.Chart(render.Options{Namespace: mesh.Namespace, Values: values})
	if err != nil {
		t.Fatal(err)
	}
	objects = slices.DeleteFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == "Deployment" })
	if err := mesh.Apply(t.Context(), c.Config(), objects); err != nil {
		t.Fatal(err)
	}
}

// bootstrapOnce runs osm-bootstrap --once in as many pods at once, as the chart's
// service account, and waits until all have succeeded.
func bootstrapOnce(t *testing.T, c *cluster.Cluster, client kubernetes.Interface, name string, pods int32) {
	t.Helper()
	noRetry := int32(0)
	_, err := client.BatchV1().Jobs(mesh.Namespace).Create(t.Context(), &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: batchv1.JobSpec{
			Parallelism: &pods, Completions: &pods, BackoffLimit: &noRetry,
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				RestartPolicy:      corev1.RestartPolicyNever,
				ServiceAccountName: "osm-bootstrap",
				Containers:         []corev1.Container{{Name: "osm-bootstrap", Image: "flomesh/osm-bootstrap:test", Args: []string{"--once"}}},
			}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	err = wait.PollUntilContextCancel(testkit.Context(t, 2*time.Minute), 200*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		job, err := client.BatchV1().Jobs(mesh.Namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		if job.Status.Failed > 0 {
			return false, fmt.Errorf("%d of %d pods failed", job.Status.Failed, pods)
		}
		return job.Status.Succeeded == pods, nil
	})
	if err != nil {
		showLogs(t, c)
		t.Fatal(err)
	}
}

// state is all that bootstrap sets.
type state struct {
	versions map[string]string // of the Secrets
	bundles  map[string][]byte
}

func snapshot(t *testing.T, client kubernetes.Interface) state {
	t.Helper()
	s := webhookState(t, client)
	maps.Copy(s.versions, secretVersions(t, client))
	return s
}

// secretVersions returns the resource versions of the mesh's Secrets by name.
func secretVersions(t *testing.T, client kubernetes.Interface) map[string]string {
	t.Helper()
	list, err := client.CoreV1().Secrets(mesh.Namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	for _, secret := range list.Items {
		versions[secret.Name] = secret.ResourceVersion
	}
	return versions
}

func caBundles(t *testing.T, client kubernetes.Interface) map[string][]byte {
	t.Helper()
	return webhookState(t, client).bundles
}

func webhookState(t *testing.T, client kubernetes.Interface) state {
	t.Helper()
	s := state{map[string]string{}, map[string][]byte{}}
	mutating, err := client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(t.Context(), "osm-webhook-osm", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	validating, err := client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(t.Context(), "osm-validator-mesh-osm", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.versions[mutating.Name], s.versions[validating.Name] = mutating.ResourceVersion, validating.ResourceVersion
	s.bundles[mutating.Name] = mutating.Webhooks[0].ClientConfig.CABundle
	s.bundles[validating.Name] = validating.Webhooks[0].ClientConfig.CABundle
	for _, name := range []string{"meshconfigs", "meshrootcertificates"} {
		crd := &unstructured.Unstructured{}
		data, err := client.Discovery().RESTClient().Get().AbsPath("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/" + name + ".config.openservicemesh.io").Do(t.Context()).Raw()
		if err != nil {
			t.Fatal(err)
		}
		if err := crd.UnmarshalJSON(data); err != nil {
			t.Fatal(err)
		}
		s.versions[name] = crd.GetResourceVersion()
		bundle, _, err := unstructured.NestedString(crd.Object, "spec", "conversion", "webhook", "clientConfig", "caBundle")
		if err != nil {
			t.Fatal(err)
		}
		s.bundles[name] = decodeBase64(t, bundle)
	}
	return s
}

func TestBootstrapRefusesAMalformedRootSecretAndLeavesItAlone(t *testing.T) {
	t.Parallel()
	c, client := startWithoutDeployments(t)
	good := newPair(t, nil)
	other := newPair(t, nil)
	leaf := newPair(t, func(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, x509.KeyUsageDigitalSignature })
	expired := newPair(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) })
	tests := map[string]struct {
		data map[string][]byte
		key  string
	}{
		"no keys":                    {nil, "ca.crt"},
		"no private key":             {map[string][]byte{"ca.crt": good.cert}, "private.key"},
		"garbage PEM":                {map[string][]byte{"ca.crt": []byte("-----BEGIN CERTIFICATE-----\ngarbage"), "private.key": good.key}, "ca.crt"},
		"key of another certificate": {map[string][]byte{"ca.crt": good.cert, "private.key": other.key}, "private.key"},
		"leaf instead of CA":         {map[string][]byte{"ca.crt": leaf.cert, "private.key": leaf.key}, "ca.crt"},
		"expired":                    {map[string][]byte{"ca.crt": expired.cert, "private.key": expired.key}, "ca.crt"},
		"expiration of another root": {map[string][]byte{"ca.crt": good.cert, "private.key": good.key, "expiration": []byte("2031-01-11T23:15:09.299Z")}, "expiration"},
	}
	secrets := client.CoreV1().Secrets(mesh.Namespace)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before, err := secrets.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: rootSecret}, Data: test.data}, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { deleteSecret(t, client, rootSecret) })
			message := runFailing(t, c)
			for _, want := range []string{"osm-system/osm-ca-bundle", fmt.Sprintf("key %q", test.key), "to fix it"} {
				if !strings.Contains(message, want) {
					t.Errorf("the error %q does not say %q", message, want)
				}
			}
			if strings.Contains(message, "PRIVATE KEY--") {
				t.Errorf("the error shows a key: %s", message)
			}
			after := getSecret(t, client, rootSecret)
			if after.ResourceVersion != before.ResourceVersion {
				t.Error("the secret was written to")
			}
			wantEvent(t, client, before, test.key)
		})
	}
}

// runFailing runs osm-bootstrap --once as the chart's service account, which
// must fail, and returns what it said.
func runFailing(t *testing.T, c *cluster.Cluster) string {
	t.Helper()
	command := exec.CommandContext(testkit.Context(t, time.Minute), filepath.Join(bin, "osm-bootstrap"), "--once")
	command.Env = []string{"KUBECONFIG=" + asBootstrap(t, c)}
	out, err := command.CombinedOutput()
	if err == nil {
		t.Fatalf("osm-bootstrap succeeded:\n%s", out)
	}
	return string(out)
}

// asBootstrap returns a kubeconfig of the chart's service account.
func asBootstrap(t *testing.T, c *cluster.Cluster) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(c.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range config.AuthInfos {
		user.Impersonate = "system:serviceaccount:" + mesh.Namespace + ":osm-bootstrap"
	}
	name := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, name); err != nil {
		t.Fatal(err)
	}
	return name
}

func wantEvent(t *testing.T, client kubernetes.Interface, secret *corev1.Secret, key string) {
	t.Helper()
	events, err := client.EventsV1().Events(mesh.Namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events.Items {
		if e.Reason == "RootRefused" && e.Regarding.Name == secret.Name && strings.Contains(e.Note, fmt.Sprintf("key %q", key)) {
			return
		}
	}
	t.Errorf("no event says that key %q is refused; there are %d", key, len(events.Items))
}

func TestBootstrapAdoptsARootOfAnOlderMeshAndAddsItsExpiration(t *testing.T) {
	t.Parallel()
	c, client := startWithoutDeployments(t)
	root := newPair(t, nil)
	data := map[string][]byte{"ca.crt": root.cert, "private.key": root.key}
	before, err := client.CoreV1().Secrets(mesh.Namespace).Create(t.Context(),
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: rootSecret, Annotations: map[string]string{"kept": "yes"}}, Data: data}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	bootstrapOnce(t, c, client, "adopts", 10)
	after := getSecret(t, client, rootSecret)
	expiration := string(after.Data[rootsecret.ExpirationKey])
	if _, err := time.Parse("2006-01-02T15:04:05.000Z", expiration); err != nil {
		t.Errorf("expiration: %v", err)
	}
	delete(after.Data, rootsecret.ExpirationKey)
	if !maps.EqualFunc(after.Data, data, bytes.Equal) || !maps.Equal(after.Annotations, before.Annotations) || after.Type != before.Type || after.UID != before.UID {
		t.Error("more than the expiration was changed")
	}
}

func TestBootstrapIssuesServingCertificatesAnewForAnotherRoot(t *testing.T) {
	t.Parallel()
	c, client := startWithoutDeployments(t)
	bootstrapOnce(t, c, client, "first", 1)
	old := readRoot(t, client)
	deleteSecret(t, client, rootSecret)
	bootstrapOnce(t, c, client, "second", 10)
	root := readRoot(t, client)
	if root.Certificate.Equal(old.Certificate) {
		t.Fatal("the root is the old one")
	}
	mustServeFrom(t, client, root.Certificate)
}

type pair struct{ cert, key []byte }

// newPair makes a self-signed root, after change.
func newPair(t *testing.T, change func(*x509.Certificate)) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "operator's own"},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().AddDate(10, 0, 0),
		KeyUsage: x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pair{
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}
}

func getSecret(t *testing.T, client kubernetes.Interface, name string) *corev1.Secret {
	t.Helper()
	secret, err := client.CoreV1().Secrets(mesh.Namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func deleteSecret(t *testing.T, client kubernetes.Interface, name string) {
	t.Helper()
	err := client.CoreV1().Secrets(mesh.Namespace).Delete(context.WithoutCancel(t.Context()), name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
}

func readRoot(t *testing.T, client kubernetes.Interface) rootsecret.Root {
	t.Helper()
	root, err := rootsecret.Parse(getSecret(t, client, rootSecret), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return root
}
