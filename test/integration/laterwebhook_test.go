package integration

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/manifests/mesh"
	"github.com/osm-edge/osm/test/cluster"
	"github.com/osm-edge/osm/test/testkit"
)

// mirroring is what a webhook that is called after the mesh's does with a pod: it
// has images come from a mirror, and adds a container that is probed.
const mirroring = `[
	{"op": "replace", "path": "/spec/initContainers/0/image", "value": "mirror.example/osm-init"},
	{"op": "replace", "path": "/spec/initContainers/1/image", "value": "mirror.example/pipy"},
	{"op": "add", "path": "/spec/containers/-", "value": {"name": "agent", "image": "agent", "readinessProbe": {"httpGet": {"port": 8099}}}}
]`

// testLaterWebhook has another webhook change what the mesh's has made.
func testLaterWebhook(t *testing.T, c *cluster.Cluster, client kubernetes.Interface) {
	startLaterWebhook(t, c, client)
	namespace := createNamespace(t, client, map[string]string{monitored: "osm", "later": "yes"}, "")
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "app"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{
		Name: "app", Image: "app", ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromInt32(8080)}}},
	}}}}
	var created *corev1.Pod
	testkit.Condition(t, "both webhooks are called", func(ctx context.Context) (bool, error) {
		var err error
		created, err = client.CoreV1().Pods(namespace).Create(ctx, pod.DeepCopy(), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err == nil && len(created.Spec.Containers) == 2 && created.Labels[injector.ProxyLabel] != "", nil
	})
	if inits := created.Spec.InitContainers; len(inits) != 2 || mesh.SidecarName(created) != inits[1].Name || inits[1].Image != "mirror.example/pipy" || inits[1].RestartPolicy == nil {
		t.Errorf("the init containers are %+v", inits)
	}
	ports := map[string]int{}
	for _, container := range created.Spec.Containers {
		ports[container.Name] = container.ReadinessProbe.HTTPGet.Port.IntValue()
	}
	// The mesh does not see what is added after it. docs/troubleshooting says so.
	if ports["app"] == 8080 || ports["agent"] != 8099 {
		t.Errorf("the probes ask ports %v", ports)
	}
	created.ResourceVersion, created.UID, created.Status = "", "", corev1.PodStatus{}
	created.Spec.Containers = created.Spec.Containers[:1] // which the other webhook adds again
	again, err := client.CoreV1().Pods(namespace).Create(t.Context(), created, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil || len(again.Spec.InitContainers) != 2 || again.Labels[injector.ProxyLabel] != created.Labels[injector.ProxyLabel] {
		t.Errorf("created again: %v", err)
	}
}

// startLaterWebhook serves and registers it, under a name that comes after those
// of the mesh: webhooks are called in the order of their names.
func startLaterWebhook(t *testing.T, c *cluster.Cluster, client kubernetes.Interface) {
	t.Helper()
	pair := newPair(t, func(c *x509.Certificate) { c.DNSNames = []string{"later.default.svc"} })
	certificate, err := tls.X509KeyPair(pair.cert, pair.key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil || review.Request == nil {
			http.Error(w, "no review", http.StatusBadRequest)
			return
		}
		kind := admissionv1.PatchTypeJSONPatch
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
		if strings.Contains(string(review.Request.Object.Raw), injector.ProxyLabel) {
			review.Response.Patch, review.Response.PatchType = []byte(mirroring), &kind
		}
		review.Request = nil
		if err := json.NewEncoder(w).Encode(review); err != nil {
			t.Log(err)
		}
	}))
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{certificate}}
	server.StartTLS()
	t.Cleanup(server.Close)
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "later"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 443}}}}
	if _, err := client.CoreV1().Services("default").Create(t.Context(), service, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.Serve("default/later", 443, server.Listener.Addr().(*net.TCPAddr).String())
	fail, none := admissionregistrationv1.Fail, admissionregistrationv1.SideEffectClassNone
	_, err = client.AdmissionregistrationV1().MutatingWebhookConfigurations().Create(t.Context(), &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "zz-later"},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: "later.example.test", FailurePolicy: &fail, SideEffects: &none, AdmissionReviewVersions: []string{"v1"},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"later": "yes"}},
			ClientConfig:      admissionregistrationv1.WebhookClientConfig{CABundle: pair.cert, Service: &admissionregistrationv1.ServiceReference{Namespace: "default", Name: "later"}},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}},
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}
