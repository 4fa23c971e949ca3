package integration

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/test/testkit"
)

// goldenSample is an input in a namespace of its own.
type goldenSample struct {
	name      string
	namespace *corev1.Namespace
	pod       map[string]any // as it is written
	defaulted map[string]any // as it comes to webhooks; nil if it does not
}

// samples are the inputs of a directory. Their defaults are those of a namespace
// that is not of the mesh yet.
func (w *webhookAsked) samples(variant string) (all []*goldenSample) {
	w.t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "injector", "testdata", variant, "*.yaml"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, file := range files {
		if !strings.HasSuffix(file, ".golden.yaml") {
			all = append(all, w.sample(variant, file))
		}
	}
	for _, s := range all {
		if _, err := w.client.CoreV1().Namespaces().Update(w.t.Context(), s.namespace, metav1.UpdateOptions{}); err != nil {
			w.t.Fatal(err)
		}
	}
	w.await(all)
	return all
}

// await waits until the API server and the injector know that all namespaces are
// of the mesh: they hear of them in their order.
func (w *webhookAsked) await(all []*goldenSample) {
	w.t.Helper()
	last := createNamespace(w.t, w.client, map[string]string{monitored: "osm"}, "")
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "probe"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "a"}}}}
	testkit.Condition(w.t, "a namespace of the mesh", func(ctx context.Context) (bool, error) {
		created, err := w.client.CoreV1().Pods(last).Create(ctx, pod.DeepCopy(), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err == nil && created.Labels[injector.ProxyLabel] != "", nil
	})
	if len(all) == 0 {
		w.t.Fatal("no samples")
	}
}

func (w *webhookAsked) sample(variant, file string) *goldenSample {
	w.t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		w.t.Fatal(err)
	}
	s := &goldenSample{name: strings.TrimSuffix(filepath.Base(file), ".yaml"), namespace: &corev1.Namespace{}}
	documents := strings.Split(string(text), "\n---\n")
	if len(documents) > 1 {
		if err := yaml.Unmarshal([]byte(documents[0]), s.namespace); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := yaml.Unmarshal([]byte(documents[len(documents)-1]), &s.pod); err != nil {
		w.t.Fatal(err)
	}
	name := variant + "-" + s.name
	unstructured.RemoveNestedField(s.pod, "metadata", "namespace")
	own := s.namespace.DeepCopy()
	plain := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if s.namespace, err = w.client.CoreV1().Namespaces().Create(w.t.Context(), plain, metav1.CreateOptions{}); err != nil {
		w.t.Fatal(err)
	}
	waitFor(w.t, w.client, name)
	w.account(s)
	if created, err := w.create(w.t.Context(), name, s.pod); err == nil {
		s.defaulted = bare(created, s.pod)
	}
	s.namespace.Annotations = own.Annotations
	if own.Labels == nil {
		own.Labels = map[string]string{monitored: "osm"}
	}
	maps.Copy(s.namespace.Labels, own.Labels)
	return s
}

// account creates the service account of a sample, without which the API server
// creates no pod.
func (w *webhookAsked) account(s *goldenSample) {
	w.t.Helper()
	for _, field := range []string{"serviceAccountName", "serviceAccount"} {
		name, _, _ := unstructured.NestedString(s.pod, "spec", field)
		if name == "" {
			continue
		}
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
		_, err := w.client.CoreV1().ServiceAccounts(s.namespace.Name).Create(w.t.Context(), account, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			w.t.Fatal(err)
		}
	}
}
