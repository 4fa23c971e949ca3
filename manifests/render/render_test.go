package render

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files anew")

// goldens are the renderings that files of testdata have, by the values that they are of.
var goldens = map[string]map[string]any{
	"default": {},
	"options": options,
}

func TestTheRenderingsAreTheGoldenFiles(t *testing.T) {
	defaults := mustRender(t, Options{Namespace: "osm-system"})
	var want []string
	for name, values := range goldens {
		file := filepath.Join("testdata", name+".golden.yaml")
		want = append(want, file)
		objects := defaults
		if name != "default" {
			objects = without(mustRender(t, Options{Namespace: "osm-system", Values: osm(values)}), defaults)
		}
		mustBeGolden(t, file, encode(t, objects))
	}
	slices.Sort(want)
	files, err := filepath.Glob("testdata/*")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(files, want) {
		t.Errorf("testdata holds %q, of which only %q are used", files, want)
	}
}

func mustBeGolden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the chart renders other objects than %s; look at the difference after go test -update", file)
	}
}

// without leaves out the objects that are among the others just so.
func without(objects, others []*unstructured.Unstructured) []*unstructured.Unstructured {
	return slices.DeleteFunc(objects, func(o *unstructured.Unstructured) bool {
		return slices.ContainsFunc(others, func(other *unstructured.Unstructured) bool { return reflect.DeepEqual(o.Object, other.Object) })
	})
}

func encode(t *testing.T, objects []*unstructured.Unstructured) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, object := range objects {
		data, err := yaml.Marshal(object.Object)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString("---\n")
		b.Write(data)
	}
	return b.Bytes()
}

func TestRenderingIsTheSameEveryTime(t *testing.T) {
	first := encode(t, mustRender(t, Options{Namespace: "osm-system"}))
	for range 5 {
		if !bytes.Equal(encode(t, mustRender(t, Options{Namespace: "osm-system"})), first) {
			t.Fatal("it differs")
		}
	}
}

func TestEveryObjectIsOneThatKubernetesKnows(t *testing.T) {
	for _, object := range mustRender(t, Options{Namespace: "osm-system"}) {
		mustConvert(t, object, typed(t, object))
	}
}

func TestCustomResourceDefinitionsComeFirst(t *testing.T) {
	objects := mustRender(t, Options{Namespace: "osm-system"})
	for i, object := range objects {
		if isCRD := object.GetKind() == "CustomResourceDefinition"; isCRD != (i < 2) {
			t.Errorf("object %d is %s %s", i, object.GetKind(), object.GetName())
		}
	}
}

func TestEveryObjectIsLabelledAndInTheMeshsNamespace(t *testing.T) {
	clusterScoped := []string{"ClusterRole", "ClusterRoleBinding", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"}
	// A name that YAML would take for a truth, and one for a number.
	for _, object := range mustRender(t, Options{Namespace: "123", Values: osm(map[string]any{"meshName": "on"})}) {
		labels := object.GetLabels()
		if labels["app.kubernetes.io/name"] != "openservicemesh.io" {
			t.Errorf("%s %s has labels %v", object.GetKind(), object.GetName(), labels)
		}
		if object.GetKind() == "CustomResourceDefinition" {
			continue // Helm does not template them: osm-bootstrap labels them
		}
		if labels["app.kubernetes.io/instance"] != "on" || labels["app.kubernetes.io/version"] == "" {
			t.Errorf("%s %s has labels %v", object.GetKind(), object.GetName(), labels)
		}
		want := "123"
		if slices.Contains(clusterScoped, object.GetKind()) {
			want = ""
		}
		if object.GetNamespace() != want {
			t.Errorf("%s %s is in namespace %q", object.GetKind(), object.GetName(), object.GetNamespace())
		}
	}
}

func TestEveryComponentIsADeployment(t *testing.T) {
	objects := mustRender(t, Options{Namespace: "osm-system"})
	if n := len(ofKind(objects, "Deployment")); n != len(components) {
		t.Errorf("%d deployments", n)
	}
	for _, component := range components {
		deployment := find[appsv1.Deployment](t, objects, "Deployment", component)
		pod := deployment.Spec.Template
		if pod.Spec.ServiceAccountName != component || len(pod.Spec.Containers) != 1 {
			t.Errorf("%s runs as %s", component, pod.Spec.ServiceAccountName)
		}
		container := pod.Spec.Containers[0]
		if i := slices.IndexFunc(container.Ports, func(p corev1.ContainerPort) bool { return p.Name == "metrics" }); i < 0 || container.Ports[i].ContainerPort != 9091 {
			t.Errorf("%s has ports %v", component, container.Ports)
		}
		if container.ReadinessProbe.HTTPGet.Path != "/readyz" || container.LivenessProbe.HTTPGet.Path != "/healthz" {
			t.Errorf("%s has other probes", component)
		}
		security := container.SecurityContext
		if !*pod.Spec.SecurityContext.RunAsNonRoot || *security.AllowPrivilegeEscalation || !*security.ReadOnlyRootFilesystem || !slices.Equal(security.Capabilities.Drop, []corev1.Capability{"ALL"}) {
			t.Errorf("%s has rights in its node", component)
		}
		if container.Env[0].ValueFrom.FieldRef.FieldPath != "metadata.namespace" {
			t.Errorf("%s has environment %v", component, container.Env)
		}
		mustHaveArgs(t, objects, component, "--mesh-name=osm", "--namespace=$(POD_NAMESPACE)", "--log-level=info")
	}
	mustHaveArgs(t, objects, "osm-bootstrap", "--ca-bundle-secret-name=osm-ca-bundle", "--mutating-webhook=osm-webhook-osm", "--validating-webhook=osm-validator-mesh-osm")
	mustHaveArgs(t, objects, "osm-controller", "--ca-bundle-secret-name=osm-ca-bundle", "--trust-domain=cluster.local", "--service-cert-validity-duration=24h", "--key-algorithm=ecdsa-p256")
	mustHaveArgs(t, objects, "osm-injector", "--trust-domain=cluster.local")
}

func TestServicesLeadToTheirPods(t *testing.T) {
	objects := mustRender(t, Options{Namespace: "osm-system"})
	tests := map[string]struct {
		component string
		port      int32
	}{
		"osm-injector":   {"osm-injector", 9090},
		"osm-validator":  {"osm-controller", 9093},
		"osm-bootstrap":  {"osm-bootstrap", 9443},
		"osm-controller": {"osm-controller", 15128},
	}
	if n := len(ofKind(objects, "Service")); n != len(tests) {
		t.Errorf("%d services, want %d", n, len(tests))
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ports := find[corev1.Service](t, objects, "Service", name).Spec.Ports
			if len(ports) != 1 || ports[0].Port != test.port {
				t.Fatalf("ports %v, want %d", ports, test.port)
			}
			pod := find[appsv1.Deployment](t, objects, "Deployment", test.component).Spec.Template
			if app := find[corev1.Service](t, objects, "Service", name).Spec.Selector["app"]; app != pod.Labels["app"] {
				t.Errorf("selects pods of %s, want %s", app, test.component)
			}
			if !slices.ContainsFunc(pod.Spec.Containers[0].Ports, func(p corev1.ContainerPort) bool {
				return p.Name == ports[0].TargetPort.StrVal && p.ContainerPort == test.port
			}) {
				t.Errorf("the pod has no port %s of %d", ports[0].TargetPort.StrVal, test.port)
			}
		})
	}
}

func TestPodsAreMutatedWhereTheMeshMonitors(t *testing.T) {
	objects := mustRender(t, Options{Namespace: "osm-system"})
	webhooks := find[admissionregistrationv1.MutatingWebhookConfiguration](t, objects, "MutatingWebhookConfiguration", "osm-webhook-osm").Webhooks
	if len(webhooks) != 1 || webhooks[0].Name != "osm-inject.k8s.io" {
		t.Fatalf("webhooks %v", webhooks)
	}
	w := webhooks[0]
	mustCall(t, w.ClientConfig, "osm-injector", "/mutate-pod-creation", 9090)
	if *w.FailurePolicy != admissionregistrationv1.Fail || *w.SideEffects != admissionregistrationv1.SideEffectClassNone || *w.TimeoutSeconds != 5 {
		t.Errorf("policy %s, side effects %s, timeout %d s", *w.FailurePolicy, *w.SideEffects, *w.TimeoutSeconds)
	}
	rule := w.Rules[0]
	if len(w.Rules) != 1 || !slices.Equal(rule.Operations, []admissionregistrationv1.OperationType{"CREATE"}) || !slices.Equal(rule.Resources, []string{"pods"}) {
		t.Errorf("rules %v", w.Rules)
	}
	selector := map[string][]string{}
	for _, term := range w.NamespaceSelector.MatchExpressions {
		selector[term.Key+" "+string(term.Operator)] = term.Values
	}
	if !slices.Equal(selector["openservicemesh.io/monitored-by In"], []string{"osm"}) {
		t.Errorf("selector %v", selector)
	}
	if _, ok := selector["openservicemesh.io/ignore DoesNotExist"]; !ok {
		t.Errorf("selector %v", selector)
	}
	if !slices.Equal(selector["kubernetes.io/metadata.name NotIn"], []string{"kube-system", "kube-public", "kube-node-lease", "osm-system"}) {
		t.Errorf("selector %v", selector)
	}
	var conditions []string
	for _, condition := range w.MatchConditions {
		conditions = append(conditions, condition.Name)
	}
	if !slices.Equal(conditions, []string{"not-a-mirror-pod", "not-declined"}) {
		t.Errorf("conditions %q", conditions)
	}
}

func TestTheMeshsConfigurationIsValidated(t *testing.T) {
	objects := mustRender(t, Options{Namespace: "osm-system"})
	webhooks := find[admissionregistrationv1.ValidatingWebhookConfiguration](t, objects, "ValidatingWebhookConfiguration", "osm-validator-mesh-osm").Webhooks
	if len(webhooks) != 1 || webhooks[0].Name != "osm-validator.k8s.io" {
		t.Fatalf("webhooks %v", webhooks)
	}
	mustCall(t, webhooks[0].ClientConfig, "osm-validator", "/validate", 9093)
	if got := webhooks[0].NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"]; got != "osm-system" {
		t.Errorf("it validates namespace %q", got)
	}
}

func mustCall(t *testing.T, config admissionregistrationv1.WebhookClientConfig, service, path string, port int32) {
	t.Helper()
	got := config.Service
	if got == nil || got.Namespace != "osm-system" || got.Name != service || *got.Path != path || *got.Port != port {
		t.Errorf("it calls %v, want %s:%d%s", got, service, port, path)
	}
	if config.CABundle != nil {
		t.Error("the chart sets a caBundle, which is osm-bootstrap's")
	}
}

func TestNumbersAreWhatOtherToolsExpectOfThem(t *testing.T) {
	for _, object := range ofKind(mustRender(t, Options{Namespace: "osm-system"}), "Deployment") {
		if n, found, err := unstructured.NestedInt64(object.Object, "spec", "replicas"); n != 1 || !found || err != nil {
			t.Errorf("%s has %d replicas, error %v", object.GetName(), n, err)
		}
	}
}
