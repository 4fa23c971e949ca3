package injector

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	goldenSuffix = ".golden.yaml"
	testProxy    = "6f1f3bb6-6a1c-4d9b-8f43-3a6d5b0f9f5e"
)

// sample is a pod of testdata as an API server would send it.
type sample struct {
	file string
	json []byte
	pod  *corev1.Pod
}

// corpus is every pod of testdata.
func corpus(t testing.TB) []sample {
	t.Helper()
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var samples []sample
	for _, file := range files {
		if strings.HasSuffix(file, goldenSuffix) {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := yaml.YAMLToJSON(text)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		samples = append(samples, sample{file, raw, podOf(t, raw)})
	}
	if len(samples) == 0 {
		t.Fatal("no pods in testdata")
	}
	return samples
}

func podOf(t testing.TB, raw []byte) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{}
	if err := json.Unmarshal(raw, pod); err != nil {
		t.Fatal(err)
	}
	return pod
}

func testConfig(t testing.TB, edits ...func(*Settings)) *Config {
	t.Helper()
	settings := Settings{
		MeshName:        "osm",
		Namespace:       "osm-system",
		TrustDomain:     "cluster.local",
		SidecarImage:    "example.test/sidecar:v1",
		ImagePullPolicy: corev1.PullIfNotPresent,
		SidecarResources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: quantity("10m"), corev1.ResourceMemory: quantity("32Mi")},
			Limits:   corev1.ResourceList{corev1.ResourceMemory: quantity("128Mi")},
		},
	}
	for _, edit := range edits {
		edit(&settings)
	}
	config, err := NewConfig(settings)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func bookstore(edits ...func(*corev1.Namespace)) *corev1.Namespace {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:   "bookstore",
		Labels: map[string]string{monitoredByLabel: "osm"},
	}}
	for _, edit := range edits {
		edit(namespace)
	}
	return namespace
}

// mutateForTest gives a pod of the namespace bookstore its sidecar.
func mutateForTest(t testing.TB, pod *corev1.Pod) *corev1.Pod {
	t.Helper()
	config := testConfig(t)
	id, has, err := standing(pod, "bookstore", config)
	if err != nil || has {
		t.Fatalf("has a sidecar: %v, error: %v", has, err)
	}
	mutated, err := mutate(pod, newBootstrap(config, id, testProxy), config)
	if err != nil {
		t.Fatal(err)
	}
	return mutated
}
