package injector

import (
	"bytes"
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

// sample is a pod of testdata as an API server would send it, with the
// namespace that it is created in and the configuration of its directory.
type sample struct {
	file      string
	json      []byte
	pod       *corev1.Pod
	namespace *corev1.Namespace
	config    *Config
}

// variants are the configurations that testdata has a directory for.
func variants() map[string]func(*Settings) {
	return map[string]func(*Settings){
		"native":    func(*Settings) {},
		"container": func(s *Settings) { s.Placement = Container },
		"direct":    func(s *Settings) { s.Interception = NoInterception },
		"usual": func(s *Settings) {
			s.SidecarResources, s.ImagePullSecrets = corev1.ResourceRequirements{}, []string{"registry"}
		},
	}
}

// corpus is every pod of testdata. A file may begin with a Namespace.
func corpus(t testing.TB) []sample {
	t.Helper()
	var samples []sample
	for directory, edit := range variants() {
		config := testConfig(t, edit)
		files, err := filepath.Glob("testdata/" + directory + "/*.yaml")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if !strings.HasSuffix(file, goldenSuffix) {
				samples = append(samples, read(t, file, config))
			}
		}
	}
	if len(samples) < 40 {
		t.Fatalf("%d pods in testdata", len(samples))
	}
	return samples
}

func read(t testing.TB, file string, config *Config) sample {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := sample{file: file, namespace: bookstore(), config: config}
	if first, second, found := bytes.Cut(text, []byte("\n---\n")); found {
		if err := yaml.UnmarshalStrict(first, s.namespace); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		text = second
	}
	if s.json, err = yaml.YAMLToJSON(text); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	s.pod = podOf(t, s.json)
	return s
}

// injected are the samples that get a sidecar, and what they become.
func injected(t testing.TB, do func(s sample, result Result, after []byte)) {
	t.Helper()
	for _, s := range corpus(t) {
		if result := s.config.Inject(s.json, s.namespace, testProxy); result.Decision == Injected {
			do(s, result, applied(t, s.json, result.Patch))
		}
	}
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
		InitImage:       "example.test/osm-init:v1",
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
	// Golden files are not to change with every script.
	config.volume = identityVolume(scriptsPrefix+"0123456789ab", []string{"main.js"})
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

// become is a pod of the namespace bookstore with its sidecar.
func become(t testing.TB, config *Config, pod *corev1.Pod) *corev1.Pod {
	t.Helper()
	raw, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	result := config.Inject(raw, bookstore(), testProxy)
	if result.Decision != Injected {
		t.Fatalf("%s: %s %v", result.Decision, result.Reason, result.Err)
	}
	return podOf(t, applied(t, raw, result.Patch))
}
