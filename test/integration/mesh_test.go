package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/test/cluster"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/sidecar"
	"github.com/osm-edge/osm/test/testkit"
)

func TestMesh(t *testing.T) {
	t.Parallel()
	c, client := startMesh(t, nil)
	defer func() {
		if t.Failed() {
			showLogs(t, c)
		}
	}()
	t.Run("injects", func(t *testing.T) { testInjection(t, client) })
	t.Run("keeps every pod what it is, but for its sidecar", func(t *testing.T) { testEveryPod(t, client) })
	t.Run("lets webhooks that are called later change what it made", func(t *testing.T) { testLaterWebhook(t, c, client) })
	t.Run("gives its sidecar a name that is free", func(t *testing.T) { testNames(t, client) })
	t.Run("leaves pods what quotas and limit ranges let them be", func(t *testing.T) { testResources(t, client) })
	t.Run("injects what controllers create", func(t *testing.T) { testWorkloads(t, client) })
	t.Run("publishes its scripts, and those of another version beside them", func(t *testing.T) { testScripts(t, client) })
	t.Run("serves metrics, health and version", func(t *testing.T) { testOps(t, c, client) })
	t.Run("publishes its roots in monitored namespaces", func(t *testing.T) { testTrustBundle(t, client) })
	t.Run("validates its configuration", func(t *testing.T) { testValidation(t, client) })
	t.Run("replaces a deleted root by itself", func(t *testing.T) { testDeletedRoot(t, c, client) })
	t.Run("restores a caBundle that was cleared", func(t *testing.T) { testClearedBundle(t, client) })
}

// waitFor waits for the default service account of a namespace.
func waitFor(t *testing.T, client kubernetes.Interface, namespace string) {
	t.Helper()
	testkit.Condition(t, "the default service account", func(ctx context.Context) (bool, error) {
		_, err := client.CoreV1().ServiceAccounts(namespace).Get(ctx, "default", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return err == nil, err
	})
}

func testOps(t *testing.T, c *cluster.Cluster, client kubernetes.Interface) {
	for _, component := range mesh.Components {
		pod, err := mesh.Pod(testkit.Context(t, time.Minute), client, mesh.Namespace, component)
		if err != nil {
			t.Fatal(err)
		}
		get := func(path string) string { return get(t, c, net.JoinHostPort(pod.Status.PodIP, "9091"), path) }
		if got := get("/healthz"); got != "ok\n" {
			t.Errorf("%s /healthz: %q", component, got)
		}
		if got := get("/readyz"); got != "ok\n" {
			t.Errorf("%s /readyz: %q", component, got)
		}
		metrics := get("/metrics")
		for _, want := range []string{"\ngo_goroutines ", "\nosm_ready{component=\"" + component + "\"} 1\n", "\nosm_serving_certificate_not_after_timestamp_seconds{secret=\"osm-"} {
			if !strings.Contains(metrics, want) {
				t.Errorf("%s /metrics lacks %q", component, want)
			}
		}
		var version struct{ Version, Go string }
		if err := json.Unmarshal([]byte(get("/version")), &version); err != nil || version.Version == "" || version.Go == "" {
			t.Errorf("%s /version: %+v, %v", component, version, err)
		}
	}
}

func get(t *testing.T, c *cluster.Cluster, address, path string) string {
	t.Helper()
	transport := &http.Transport{DialContext: c.Dial, DisableKeepAlives: true}
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	response, err := client.Get("http://" + address + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("%s: %s %v", path, response.Status, err)
	}
	return string(body)
}

func testTrustBundle(t *testing.T, client kubernetes.Interface) {
	root := encode(readRoot(t, client).Certificate)
	joined := createNamespace(t, client, map[string]string{monitored: "osm"}, "")
	outside := createNamespace(t, client, nil, "")
	bundle := func(ctx context.Context) (*corev1.ConfigMap, error) {
		return client.CoreV1().ConfigMaps(joined).Get(ctx, rotation.ConfigMapName, metav1.GetOptions{})
	}
	published := func(ctx context.Context) (bool, error) {
		cm, err := bundle(ctx)
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return err == nil && len(cm.Data) == 1 && cm.Data[rotation.BundleKey] == string(root), err
	}
	testkit.Condition(t, "the bundle is published", published)

	cm, err := bundle(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cm.Data[rotation.BundleKey] = "tampered"
	if _, err := client.CoreV1().ConfigMaps(joined).Update(t.Context(), cm, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	testkit.Condition(t, "a changed bundle is put right", published)
	if err := client.CoreV1().ConfigMaps(joined).Delete(t.Context(), rotation.ConfigMapName, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	testkit.Condition(t, "a deleted bundle is put back", published)
	if _, err := client.CoreV1().ConfigMaps(outside).Get(t.Context(), rotation.ConfigMapName, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("a namespace outside of the mesh has a bundle: %v", err)
	}
}

func testValidation(t *testing.T, client kubernetes.Interface) {
	create := func(spec string) error {
		object := fmt.Sprintf(`{"apiVersion":"config.openservicemesh.io/v1alpha2","kind":"MeshConfig","metadata":{"name":"another"},"spec":%s}`, spec)
		return client.Discovery().RESTClient().Post().
			AbsPath("/apis/config.openservicemesh.io/v1alpha2/namespaces/osm-system/meshconfigs").
			Param("dryRun", "All").SetHeader("Content-Type", "application/json").Body([]byte(object)).Do(t.Context()).Error()
	}
	if err := create(`{"certificate":{"serviceCertValidityDuration":"1h30m"}}`); err != nil {
		t.Error(err)
	}
	err := create(`{"certificate":{"serviceCertValidityDuration":"a day"}}`)
	if err == nil || !strings.Contains(err.Error(), "serviceCertValidityDuration") {
		t.Errorf("got %v, want a refusal that names the field", err)
	}
}

func testDeletedRoot(t *testing.T, c *cluster.Cluster, client kubernetes.Interface) {
	removeWorkloads(t, client)
	pod := deploy(t, client, "bookbuyer", "bookbuyer")
	proxy, before := runProxy(t, c, client, pod)
	old := readRoot(t, client).Certificate
	deleteSecret(t, client, rootSecret)
	testkit.Condition(t, "the new root", func(ctx context.Context) (bool, error) {
		secret, err := client.CoreV1().Secrets(mesh.Namespace).Get(ctx, rootSecret, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return err == nil && !bytes.Equal(secret.Data["ca.crt"], encode(old)), err
	})
	root := readRoot(t, client).Certificate
	after, err := proxy.Wait(testkit.Context(t, 30*time.Second), func(s sidecar.State) bool { return s.Leaf().CheckSignatureFrom(root) == nil })
	if err != nil {
		t.Fatalf("the certificate is not of the new root: %v", err)
	}
	if before.Leaf().Equal(after.Leaf()) {
		t.Error("the certificate is the old one")
	}
	if n := len(after.Bundle().Roots()); n != 2 {
		t.Errorf("%d roots are trusted, want the new one and, for a while, the old one", n)
	}
}

// removeWorkloads removes all pods outside of the mesh's own namespace. They have
// sidecars that do not run, and a new root would wait for them.
func removeWorkloads(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	namespaces, err := client.CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	background := metav1.DeletePropagationBackground
	options, all := metav1.DeleteOptions{PropagationPolicy: &background, GracePeriodSeconds: new(int64)}, metav1.ListOptions{}
	for _, ns := range namespaces.Items {
		if ns.Name == mesh.Namespace {
			continue
		}
		err := errors.Join(
			client.AppsV1().Deployments(ns.Name).DeleteCollection(t.Context(), options, all),
			client.AppsV1().ReplicaSets(ns.Name).DeleteCollection(t.Context(), options, all),
			client.AppsV1().StatefulSets(ns.Name).DeleteCollection(t.Context(), options, all),
			client.AppsV1().DaemonSets(ns.Name).DeleteCollection(t.Context(), options, all),
			client.BatchV1().CronJobs(ns.Name).DeleteCollection(t.Context(), options, all),
			client.BatchV1().Jobs(ns.Name).DeleteCollection(t.Context(), options, all),
			client.CoreV1().Pods(ns.Name).DeleteCollection(t.Context(), options, all),
		)
		if err != nil {
			t.Fatal(err)
		}
	}
	testkit.Condition(t, "no pod is left", func(ctx context.Context) (bool, error) {
		pods, err := client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{LabelSelector: injector.ProxyLabel})
		return err == nil && len(pods.Items) == 0, err
	})
}

func testClearedBundle(t *testing.T, client kubernetes.Interface) {
	webhooks := client.AdmissionregistrationV1().MutatingWebhookConfigurations()
	webhook, err := webhooks.Get(t.Context(), "osm-webhook-osm", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	webhook.Webhooks[0].ClientConfig.CABundle = nil
	if _, err := webhooks.Update(t.Context(), webhook, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	testkit.Condition(t, "the caBundle", func(ctx context.Context) (bool, error) {
		webhook, err := webhooks.Get(ctx, webhook.Name, metav1.GetOptions{})
		return err == nil && len(webhook.Webhooks[0].ClientConfig.CABundle) > 0, err
	})
}
