package integration

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/test/cluster"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/testkit"
)

func TestWithoutTheInjectorOnlyTheMeshStandsStill(t *testing.T) {
	t.Parallel()
	c, client := startMesh(t, nil)
	defer func() {
		if t.Failed() {
			showLogs(t, c)
		}
	}()
	s := standstill{
		client: client,
		inside: createNamespace(t, client, map[string]string{monitored: "osm"}, ""),
		others: []string{
			createNamespace(t, client, nil, ""), createNamespace(t, client, map[string]string{monitored: "osm", ignored: ""}, ""),
			metav1.NamespaceSystem, metav1.NamespacePublic, corev1.NamespaceNodeLease, mesh.Namespace,
		},
	}
	for _, name := range s.others {
		waitFor(t, client, name)
	}
	t.Run("while it is stopped", func(t *testing.T) {
		scale(t, client, "osm-injector", 0)
		s.check(t, "connection refused")
		scale(t, client, "osm-injector", 1)
		s.recover(t)
	})
	// Otherwise osm-bootstrap fixes what is broken here.
	scale(t, client, "osm-bootstrap", 0)
	t.Run("when its caBundle is wrong", func(t *testing.T) {
		patchCABundle(t, client, newPair(t, nil).cert)
		s.check(t, "certificate signed by unknown authority")
		scale(t, client, "osm-bootstrap", 1)
		s.recover(t)
		scale(t, client, "osm-bootstrap", 0)
	})
	t.Run("when its certificate has expired", func(t *testing.T) {
		scale(t, client, "osm-injector", 0)
		expireServing(t, client)
		patchReplicas(t, client, "osm-injector", 1)
		wantUnready(t, c, client)
		s.check(t, "connection refused")
		scale(t, client, "osm-bootstrap", 1)
		s.recover(t)
	})
}

// standstill is what a mesh without an injector has to hold, and what it must not.
type standstill struct {
	client kubernetes.Interface
	inside string
	others []string
}

func (s standstill) create(ctx context.Context, namespace string, annotations map[string]string) (*corev1.Pod, error) {
	return s.client.CoreV1().Pods(namespace).Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "app", Annotations: annotations},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "example/app:1"}}},
	}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
}

// check fails unless the mesh's pods are refused with the reason, and all others
// are taken.
func (s standstill) check(t *testing.T, reason string) {
	t.Helper()
	_, err := s.create(t.Context(), s.inside, nil)
	if err == nil {
		t.Fatal("a pod of the mesh is taken")
	}
	for _, want := range []string{`failed calling webhook "osm-inject.k8s.io"`, "osm-injector.osm-system.svc", reason} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("a pod of the mesh is refused with %q, which lacks %q", err, want)
		}
	}
	for _, name := range s.others {
		if _, err := s.create(t.Context(), name, nil); err != nil {
			t.Errorf("a pod of namespace %s: %v", name, err)
		}
	}
	for what, annotations := range map[string]map[string]string{"declines": {injection: "disabled"}, "is a mirror": {corev1.MirrorPodAnnotationKey: "hash"}} {
		_, err := s.create(t.Context(), s.inside, annotations)
		if err != nil && strings.Contains(err.Error(), "webhook") {
			t.Errorf("a pod of the mesh that %s: %v", what, err)
		}
	}
}

func (s standstill) recover(t *testing.T) {
	t.Helper()
	var last error
	defer func() {
		if t.Failed() {
			t.Log(last)
		}
	}()
	testkit.Condition(t, "a pod of the mesh is injected again", func(ctx context.Context) (bool, error) {
		var pod *corev1.Pod
		pod, last = s.create(ctx, s.inside, nil)
		return last == nil && hasSidecar(pod), nil
	})
}

// scale scales a Deployment of the mesh and waits until that is done.
func scale(t *testing.T, client kubernetes.Interface, name string, replicas int) {
	t.Helper()
	patchReplicas(t, client, name, replicas)
	if err := mesh.WaitRollout(testkit.Context(t, time.Minute), client, mesh.Namespace, name); err != nil {
		t.Fatal(err)
	}
	testkit.Condition(t, fmt.Sprintf("%d pods of %s", replicas, name), func(ctx context.Context) (bool, error) {
		pods, err := client.CoreV1().Pods(mesh.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=" + name})
		return err == nil && len(pods.Items) == replicas, err
	})
}

func patchReplicas(t *testing.T, client kubernetes.Interface, name string, replicas int) {
	t.Helper()
	patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)
	if _, err := client.AppsV1().Deployments(mesh.Namespace).Patch(t.Context(), name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

func patchCABundle(t *testing.T, client kubernetes.Interface, bundle []byte) {
	t.Helper()
	webhooks := client.AdmissionregistrationV1().MutatingWebhookConfigurations()
	webhook, err := webhooks.Get(t.Context(), "osm-webhook-osm", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	webhook.Webhooks[0].ClientConfig.CABundle = bundle
	if _, err := webhooks.Update(t.Context(), webhook, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// expireServing gives the injector a certificate of the mesh's root whose time
// is over.
func expireServing(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	root := readRoot(t, client)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const host = "osm-injector.osm-system.svc"
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, root.Certificate, key.Public(), root.Key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	secret := getSecret(t, client, "osm-injector-tls")
	secret.Data[corev1.TLSCertKey] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	secret.Data[corev1.TLSPrivateKeyKey] = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	if _, err := client.CoreV1().Secrets(mesh.Namespace).Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// wantUnready fails unless the injector says that its certificate has expired.
func wantUnready(t *testing.T, c *cluster.Cluster, client kubernetes.Interface) {
	t.Helper()
	pod, err := mesh.Pod(testkit.Context(t, time.Minute), client, mesh.Namespace, "osm-injector")
	if err != nil {
		t.Fatal(err)
	}
	ask := &http.Client{Transport: &http.Transport{DialContext: c.Dial, DisableKeepAlives: true}, Timeout: 10 * time.Second}
	testkit.Condition(t, "the injector says that its certificate has expired", func(context.Context) (bool, error) {
		response, err := ask.Get("http://" + net.JoinHostPort(pod.Status.PodIP, "9091") + "/readyz")
		if err != nil {
			return false, nil // it has yet to listen
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		return err == nil && response.StatusCode == http.StatusServiceUnavailable &&
			strings.Contains(string(body), "osm-injector-tls") && strings.Contains(string(body), "expired"), err
	})
}
