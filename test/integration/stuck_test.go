//go:build cli

package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/test/testkit"
)

// refused is a workload whose pods the API server refuses, and what is found.
type refused struct {
	name        string
	labels      map[string]string // of its namespace
	beside      string            // an object of its namespace
	kind, spec  string            // of a pod
	object      string
	reason, fix string
}

var refusals = []refused{
	{"a quota is used up", nil, `{"apiVersion":"v1","kind":"ResourceQuota","spec":{"hard":{"requests.cpu":"105m"}}}`,
		"Deployment", `{"containers":[{"name":"app","image":"a","resources":{"requests":{"cpu":"100m"}}}]}`,
		"Deployment", "exceeded quota: beside", "kubectl describe resourcequota -n NAMESPACE beside"},
	{"a quota wants limits", nil, `{"apiVersion":"v1","kind":"ResourceQuota","spec":{"hard":{"limits.cpu":"4"}}}`,
		"StatefulSet", `{"containers":[{"name":"app","image":"a"}]}`,
		"StatefulSet", "must specify limits.cpu for: app,osm-init,sidecar", "kubectl annotate --overwrite namespace NAMESPACE openservicemesh.io/sidecar-resource-limits-cpu"},
	{"a limit range", nil, `{"apiVersion":"v1","kind":"LimitRange","spec":{"limits":[{"type":"Pod","max":{"cpu":"1"}}]}}`,
		"DaemonSet", `{"containers":[{"name":"app","image":"a","resources":{"limits":{"cpu":"1"}}}]}`,
		"DaemonSet", "maximum cpu usage per Pod is 1, but limit is", "kubectl describe limitrange -n NAMESPACE"},
	{"Pod Security", map[string]string{"pod-security.kubernetes.io/enforce": "baseline"}, "",
		"Job", `{"restartPolicy":"Never","containers":[{"name":"app","image":"a"}]}`,
		"Job", `violates PodSecurity "baseline:latest"`, "kubectl label --overwrite namespace NAMESPACE pod-security.kubernetes.io/enforce=privileged"},
	{"the mesh's webhook denies", nil, "",
		"ReplicaSet", `{"containers":[{"name":"osm-init","image":"a"}]}`,
		"ReplicaSet", "container osm-init: the mesh adds one of this name", "docs/reference/refusals.md#a-pod-that-is-refused"},
	{"a webhook of others is not there", map[string]string{"test.example.com/guarded": "yes"}, "",
		"Deployment", `{"containers":[{"name":"app","image":"a"}]}`,
		"Deployment", `failed calling webhook "guard.example.com"`, "whose webhook guard.example.com is"},
	{"there is no service account", nil, "",
		"Deployment", `{"serviceAccountName":"none","containers":[{"name":"app","image":"a"}]}`,
		"Deployment", `serviceaccount "none" not found`, "kubectl create serviceaccount -n NAMESPACE none"},
}

const guard = `{"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingWebhookConfiguration","metadata":{"name":"guard"},"webhooks":[{
	"name":"guard.example.com","admissionReviewVersions":["v1"],"sideEffects":"None","failurePolicy":"Fail","timeoutSeconds":1,
	"namespaceSelector":{"matchLabels":{"test.example.com/guarded":"yes"}},"clientConfig":{"service":{"namespace":"default","name":"guard"}},
	"rules":[{"apiGroups":[""],"apiVersions":["v1"],"operations":["CREATE"],"resources":["pods"]}]}]}`

func TestCheckReportsWorkloadsWhosePodsAreNotCreated(t *testing.T) {
	t.Parallel()
	c, client := startMesh(t, nil)
	own, err := dynamic.NewForConfig(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	p := &patient{t: t, cluster: c, client: client, own: own, kubeconfig: c.Kubeconfig()}
	p.create(validators, "", guard)
	var want []checkFinding
	for _, r := range refusals {
		want = append(want, p.refuse(r))
	}
	var report checkReport
	p.wait("all findings", func() bool {
		report, _ = checked(t, p.kubeconfig)
		return len(findings(report, "workloads")) >= len(want)
	}, &report)
	for i, w := range want {
		if !has(findings(report, "workloads"), w) {
			t.Errorf("%s: not found: %+v", refusals[i].name, w)
		}
	}
	for _, f := range findings(report, "workloads") {
		t.Logf("%s: %s\n\tto fix it: %s", f.Object, f.Problem, f.Fix)
	}
	// What is fixed is found no more, though its Events are there for an hour.
	for i, r := range refusals {
		p.fix(r, strings.TrimSuffix(strings.TrimPrefix(want[i].Object, r.object+" "), "/refused"))
	}
	p.wait("nothing is found", func() bool {
		report, _ = checked(t, p.kubeconfig)
		return len(findings(report, "workloads")) == 0
	}, &report)
}

func findings(report checkReport, name string) []checkFinding {
	for _, c := range report.Checks {
		if c.Name == name {
			return c.Findings
		}
	}
	return nil
}

func has(all []checkFinding, want checkFinding) bool {
	for _, f := range all {
		if f.Severity == want.Severity && f.Object == want.Object && strings.Contains(f.Problem, want.Problem) && strings.Contains(f.Fix, want.Fix) {
			return true
		}
	}
	return false
}

var workloads = map[string]schema.GroupVersionResource{
	"Deployment":  deployments,
	"ReplicaSet":  {Group: "apps", Version: "v1", Resource: "replicasets"},
	"StatefulSet": {Group: "apps", Version: "v1", Resource: "statefulsets"},
	"DaemonSet":   {Group: "apps", Version: "v1", Resource: "daemonsets"},
	"Job":         {Group: "batch", Version: "v1", Resource: "jobs"},
}

// refuse creates the workload in a namespace of its own, and returns what is to
// be found.
func (p *patient) refuse(r refused) checkFinding {
	p.t.Helper()
	labels := map[string]string{monitored: "osm"}
	for key, value := range r.labels {
		labels[key] = value
	}
	namespace := createNamespace(p.t, p.client, labels, "")
	if r.beside != "" {
		object := &unstructured.Unstructured{}
		if err := json.Unmarshal([]byte(r.beside), &object.Object); err != nil {
			p.t.Fatal(err)
		}
		object.SetName("beside")
		of := schema.GroupVersionResource{Version: "v1", Resource: strings.ToLower(object.GetKind()) + "s"}
		if _, err := p.own.Resource(of).Namespace(namespace).Create(p.t.Context(), object, metav1.CreateOptions{}); err != nil {
			p.t.Fatal(err)
		}
		p.enforced(namespace, object.GetKind())
	}
	version := map[bool]string{true: "batch/v1", false: "apps/v1"}[r.kind == "Job"]
	spec := `"selector":{"matchLabels":{"app":"refused"}},`
	if r.kind == "Job" {
		spec = ""
	}
	p.create(workloads[r.kind], namespace, fmt.Sprintf(
		`{"apiVersion":%q,"kind":%q,"metadata":{"name":"refused"},"spec":{%s"template":{"metadata":{"labels":{"app":"refused"}},"spec":%s}}}`, version, r.kind, spec, r.spec))
	return checkFinding{
		Severity: "error", Object: r.object + " " + namespace + "/refused",
		Problem: r.reason, Fix: strings.ReplaceAll(r.fix, "NAMESPACE", namespace),
	}
}

// enforced waits until a quota counts.
func (p *patient) enforced(namespace, kind string) {
	p.t.Helper()
	if kind != "ResourceQuota" {
		return
	}
	testkit.Condition(p.t, "the quota is enforced", func(ctx context.Context) (bool, error) {
		quota, err := p.client.CoreV1().ResourceQuotas(namespace).Get(ctx, "beside", metav1.GetOptions{})
		return err == nil && len(quota.Status.Hard) > 0, err
	})
}

// fix has the workload want no pod.
func (p *patient) fix(r refused, namespace string) {
	p.t.Helper()
	switch r.kind {
	case "Job":
		p.patch(types.MergePatchType, workloads[r.kind], namespace, "refused", `{"spec":{"suspend":true}}`)
	case "DaemonSet":
		p.patch(types.MergePatchType, workloads[r.kind], namespace, "refused", `{"spec":{"template":{"spec":{"nodeSelector":{"none":"such"}}}}}`)
	default:
		p.patch(types.MergePatchType, workloads[r.kind], namespace, "refused", `{"spec":{"replicas":0}}`)
	}
}

// heard are the warnings of an API server.
type heard struct {
	mu  sync.Mutex
	all []string
}

// HandleWarningHeader implements rest.WarningHandler.
func (h *heard) HandleWarningHeader(_ int, _, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, text)
}

func (h *heard) take() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := strings.Join(h.all, "\n")
	h.all = nil
	return all
}

func TestCheckReportsPullSecretsThatPodsLack(t *testing.T) {
	t.Parallel()
	c, client := startMesh(t, map[string]any{"osm": map[string]any{"imagePullSecrets": []any{map[string]any{"name": "registry"}}}})
	config, warnings := c.Config(), &heard{}
	config.WarningHandler = warnings
	warned, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	namespace := createNamespace(t, client, map[string]string{monitored: "osm"}, "")
	create := func(name string, secrets ...corev1.LocalObjectReference) {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{ImagePullSecrets: secrets, Containers: []corev1.Container{{Name: "app", Image: "example/app:1"}}}}
		if _, err := warned.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	create("silent")
	if said := warnings.take(); !strings.Contains(said, "pulled with Secret registry, which the pod does not name") || !strings.Contains(said, "copy the Secret to namespace "+namespace) {
		t.Errorf("warnings %q", said)
	}
	create("named", corev1.LocalObjectReference{Name: "registry"})
	// As the API server adds what the service account names: while it learns of that,
	// it may add it after the webhook was called.
	account := []byte(`{"imagePullSecrets":[{"name":"registry"}]}`)
	if _, err := client.CoreV1().ServiceAccounts(namespace).Patch(t.Context(), "default", types.MergePatchType, account, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	var said string
	if err := wait.PollUntilContextCancel(testkit.Context(t, 30*time.Second), 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "by-account"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "example/app:1"}}}}
		_ = warnings.take()
		created, err := warned.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		said = warnings.take()
		return err == nil && len(created.Spec.ImagePullSecrets) == 1 && said == "", err
	}); err != nil {
		t.Fatalf("of a pod that names it: %q: %v", said, err)
	}
	report, _ := checked(t, c.Kubeconfig())
	for _, want := range []checkFinding{
		{Severity: "warning", Object: "Secret " + namespace + "/registry", Problem: "does not exist", Fix: "kubectl create secret docker-registry registry -n " + namespace},
		{Severity: "warning", Object: "Namespace " + namespace, Problem: "1 pod without Secret registry among its imagePullSecrets, with which the sidecar's image is pulled: silent", Fix: "kubectl patch serviceaccount default -n " + namespace},
	} {
		if !has(findings(report, "registries"), want) {
			t.Errorf("%+v is not among %+v", want, findings(report, "registries"))
		}
	}
}
