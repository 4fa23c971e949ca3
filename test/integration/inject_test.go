package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/test/cluster"
)

// goldenVariants are the settings of the directories of injector/testdata.
var goldenVariants = map[string]map[string]any{
	"native":    {"sidecarPlacement": "native"},
	"container": {"sidecarPlacement": "container"},
	"direct":    {"sidecarPlacement": "native", "interception": "none"},
}

// TestOSMInjectIsTheWebhook has both make something of every golden input: as it
// is written, and with the defaults that the API server applies before it calls
// webhooks. What is created in the end is the same.
func TestOSMInjectIsTheWebhook(t *testing.T) {
	t.Parallel()
	c, client := startCluster(t)
	defer func() {
		if t.Failed() {
			showLogs(t, c)
		}
	}()
	high := &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: "high"}, Value: 1000}
	if _, err := client.SchedulingV1().PriorityClasses().Create(t.Context(), high, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	compared := 0
	for variant, settings := range goldenVariants {
		values := map[string]any{"osm": map[string]any{"injector": settings, "image": map[string]any{"pullPolicy": "IfNotPresent"}}}
		install(t, c, values)
		t.Run(variant, func(t *testing.T) {
			w := newWebhookAsked(t, c, client, values)
			for _, s := range w.samples(variant) {
				t.Run(s.name, func(t *testing.T) { compared += w.compare(t, s) })
			}
		})
	}
	if compared < 45 {
		t.Errorf("%d pods were compared", compared)
	}
}

// webhookAsked is a mesh whose webhook is asked by an API server, and osm inject
// with its values.
type webhookAsked struct {
	t         *testing.T
	client    kubernetes.Interface
	pods      dynamic.NamespaceableResourceInterface
	warnings  *warnings
	arguments []string
}

// warnings are what the API server said about the last request.
type warnings struct {
	mu  sync.Mutex
	all []string
}

func (w *warnings) HandleWarningHeader(_ int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, text)
}

func (w *warnings) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.all
	w.all = nil
	return all
}

func newWebhookAsked(t *testing.T, c *cluster.Cluster, client kubernetes.Interface, values map[string]any) *webhookAsked {
	t.Helper()
	w := &webhookAsked{t: t, client: client, warnings: &warnings{}}
	config := rest.CopyConfig(c.Config())
	config.WarningHandler = w.warnings
	config.QPS = -1
	own, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	w.pods = own.Resource(corev1.SchemeGroupVersion.WithResource("pods"))
	data, err := yaml.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	// The injector of this cluster is not told the address of the API server as
	// those in pods are, so that it leaves out none that osm inject cannot know.
	w.arguments = []string{"inject", "-f", "-", "--values", file}
	return w
}

func (w *webhookAsked) create(ctx context.Context, namespace string, pod map[string]any) (map[string]any, error) {
	object := (&unstructured.Unstructured{Object: pod}).DeepCopy()
	w.warnings.take()
	created, err := w.pods.Namespace(namespace).Create(ctx, object, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		return nil, err
	}
	return created.Object, nil
}

// bare is a pod without what only one that is there has.
func bare(pod, given map[string]any) map[string]any {
	pod = (&unstructured.Unstructured{Object: pod}).DeepCopy().Object
	delete(pod, "status")
	for _, field := range []string{"uid", "creationTimestamp", "managedFields", "resourceVersion", "namespace", "generation"} {
		unstructured.RemoveNestedField(pod, "metadata", field)
	}
	if name, _, _ := unstructured.NestedString(given, "metadata", "name"); name == "" {
		unstructured.RemoveNestedField(pod, "metadata", "name")
	}
	return pod
}

// compare returns how many pods both made the same of.
func (w *webhookAsked) compare(t *testing.T, s *goldenSample) int {
	want, err := w.create(t.Context(), s.namespace.Name, s.pod)
	said := w.warnings.take()
	inputs := map[string]map[string]any{"as it is written": s.pod, "with the API server's defaults": s.defaulted}
	n := 0
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		if inputs[name] == nil {
			t.Logf("the API server does not take it: %v", err)
			continue
		}
		printed, report, code := w.inject(t, s, inputs[name])
		for _, warning := range reported(report) {
			if err == nil && !slices.Contains(said, warning) {
				t.Errorf("%s: osm inject warns %q, and the webhook of %q", name, warning, said)
			}
		}
		if err != nil {
			w.refused(t, name, err, report, code)
			continue
		}
		if code != 0 {
			t.Errorf("%s: osm inject refuses what the webhook takes: %s", name, report)
			continue
		}
		got, err := w.create(t.Context(), s.namespace.Name, bare(printed, inputs[name]))
		if err != nil {
			t.Errorf("%s: what osm inject prints is refused: %v", name, err)
			continue
		}
		if diff := cmp.Diff(normal(t, want, s.pod), normal(t, got, s.pod)); diff != "" {
			t.Errorf("%s: osm inject makes another pod than the webhook, -webhook +inject:\n%s", name, diff)
		}
		n++
	}
	return n
}

// refused tells a refusal of the webhook, which osm inject has with the same
// words, from one of the API server itself. That of Pod Security comes after the
// webhook: osm inject warns where it is about osm-init.
func (w *webhookAsked) refused(t *testing.T, name string, err error, report string, code int) {
	t.Helper()
	_, words, byWebhook := strings.Cut(err.Error(), `admission webhook "osm-inject.k8s.io" denied the request: `)
	secured := strings.Contains(err.Error(), "violates PodSecurity")
	switch {
	case byWebhook:
		if code == 0 || !strings.Contains(report, words) {
			t.Errorf("%s: the webhook refuses with %q, and osm inject reports %s", name, words, report)
		}
	case secured && strings.Contains(err.Error(), `container "osm-init"`) && !strings.Contains(report, "enforces Pod Security"):
		t.Errorf("%s: the API server says %v, and osm inject does not warn of it: %s", name, err, report)
	case !secured && !apierrors.IsInvalid(err):
		t.Errorf("%s: %v", name, err)
	}
}

// reported are the warnings of osm inject.
func reported(report string) (all []string) {
	for line := range strings.Lines(report) {
		if _, warning, ok := strings.Cut(strings.TrimSpace(line), ": warning: "); ok {
			all = append(all, warning)
		}
	}
	return all
}

// inject runs osm inject with a pod in its namespace.
func (w *webhookAsked) inject(t *testing.T, s *goldenSample, pod map[string]any) (printed map[string]any, report string, code int) {
	t.Helper()
	namespace := s.namespace.DeepCopy()
	namespace.APIVersion, namespace.Kind, namespace.ManagedFields = "v1", "Namespace", nil
	input := encodeJSON(t, namespace) + encodeJSON(t, pod)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, filepath.Join(bin, "osm"), append(w.arguments, "-n", s.namespace.Name)...)
	command.Stdin = strings.NewReader(input)
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil, stderr.String(), exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	var raw json.RawMessage
	for range 2 {
		if err := decoder.Decode(&raw); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	if err := utiljson.Unmarshal(raw, &printed); err != nil {
		t.Fatal(err)
	}
	return printed, stderr.String(), 0
}

func encodeJSON(t *testing.T, object any) string {
	t.Helper()
	data, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// clusterIP is an address of osm-controller's Service among the fallbacks of a
// sidecar, which osm inject does not know.
var clusterIP = regexp.MustCompile(`,\\"[0-9a-f.:[\]]+:15128\\"`)

// normal is a pod with one id for every proxy, and what the API server adds to
// it at random, or in an order that depends on when it does; without the
// addresses that only a cluster knows.
func normal(t *testing.T, pod, given map[string]any) map[string]any {
	t.Helper()
	text := encodeJSON(t, bare(pod, given))
	if proxy, _, _ := unstructured.NestedString(pod, "metadata", "labels", injector.ProxyLabel); proxy != "" {
		text = strings.ReplaceAll(text, proxy, "PROXY")
	}
	text = clusterIP.ReplaceAllString(text, "")
	var normal map[string]any
	if err := utiljson.Unmarshal([]byte(text), &normal); err != nil {
		t.Fatal(err)
	}
	sortByName(t, normal, "spec", "volumes")
	for _, field := range []string{"containers", "initContainers"} {
		containers, _, _ := unstructured.NestedFieldNoCopy(normal, "spec", field)
		list, _ := containers.([]any)
		for _, container := range list {
			sortByName(t, container.(map[string]any), "volumeMounts")
		}
	}
	return normal
}

// sortByName sorts the entries of a list, of which those of the API server's own
// token have a random name.
func sortByName(t *testing.T, object map[string]any, path ...string) {
	t.Helper()
	field, _, _ := unstructured.NestedFieldNoCopy(object, path...)
	list, _ := field.([]any)
	for _, entry := range list {
		entry := entry.(map[string]any)
		if name := fmt.Sprint(entry["name"]); strings.HasPrefix(name, "kube-api-access-") {
			entry["name"] = "kube-api-access"
		}
	}
	slices.SortStableFunc(list, func(a, b any) int {
		return strings.Compare(fmt.Sprint(a.(map[string]any)["name"]), fmt.Sprint(b.(map[string]any)["name"]))
	})
}
