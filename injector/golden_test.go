package injector

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"
)

func quantity(text string) resource.Quantity { return resource.MustParse(text) }

func goldenOf(file string) string { return strings.TrimSuffix(file, ".yaml") + goldenSuffix }

func TestAPodGetsTheSidecarOfItsGoldenFile(t *testing.T) {
	for _, sample := range corpus(t) {
		t.Run(filepath.Base(sample.file), func(t *testing.T) {
			got, err := yaml.Marshal(mutateForTest(t, sample.pod))
			if err != nil {
				t.Fatal(err)
			}
			golden := goldenOf(sample.file)
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("not as in %s, -want +got (write it anew with -update):\n%s", golden, diff)
			}
		})
	}
}

func TestEveryGoldenFileHasItsPod(t *testing.T) {
	goldens, err := filepath.Glob("testdata/*" + goldenSuffix)
	if err != nil {
		t.Fatal(err)
	}
	for _, golden := range goldens {
		if !slices.ContainsFunc(corpus(t), func(s sample) bool { return goldenOf(s.file) == golden }) {
			t.Errorf("%s is stale: no pod is beside it", golden)
		}
	}
}

func TestMutateLeavesThePodItIsGivenAlone(t *testing.T) {
	for _, sample := range corpus(t) {
		before := sample.pod.DeepCopy()
		mutateForTest(t, sample.pod)
		if diff := cmp.Diff(before, sample.pod); diff != "" {
			t.Errorf("%s changed:\n%s", sample.file, diff)
		}
	}
}

func TestAnInjectedPodIsKnownAgainAfterARoundTrip(t *testing.T) {
	for _, sample := range corpus(t) {
		raw, err := json.Marshal(mutateForTest(t, sample.pod))
		if err != nil {
			t.Fatal(err)
		}
		if _, has, err := standing(podOf(t, raw), "bookstore", testConfig(t)); !has || err != nil {
			t.Errorf("%s: has its sidecar: %v, error: %v", sample.file, has, err)
		}
	}
}

func TestAPodWithOnlySomeMarksOfInjectionIsRefusedByThem(t *testing.T) {
	container, volume := "the container sidecar", "the volume osm-identity"
	label, annotation := "the label osm-proxy-uuid", "the annotation openservicemesh.io/sidecar-bootstrap"
	whole := podOf(t, corpus(t)[0].json)
	tests := map[string]struct {
		edit func(pod *corev1.Pod)
		want []string
	}{
		"a container named sidecar": {
			func(pod *corev1.Pod) { pod.Spec.Containers[0].Name = "sidecar" },
			[]string{"has " + container + " but not " + volume + " and " + label + " and " + annotation, "remove or rename " + container}},
		"an init container named sidecar": {
			func(pod *corev1.Pod) { pod.Spec.InitContainers = []corev1.Container{{Name: "sidecar"}} },
			[]string{"has " + container + " but not"}},
		"a volume named osm-identity": {
			func(pod *corev1.Pod) { pod.Spec.Volumes = []corev1.Volume{{Name: "osm-identity"}} },
			[]string{"has " + volume + " but not"}},
		"a proxy label": {
			func(pod *corev1.Pod) { pod.Labels = map[string]string{ProxyLabel: ""} },
			[]string{"has " + label + " but not"}},
		"a bootstrap annotation": {
			func(pod *corev1.Pod) { pod.Annotations = map[string]string{BootstrapAnnotation: ""} },
			[]string{"has " + annotation + " but not"}},
		"all but the container": {
			func(pod *corev1.Pod) {
				*pod = *mutateForTest(t, pod)
				pod.Spec.Containers = pod.Spec.Containers[:1]
			},
			[]string{"has " + volume + " and " + label + " and " + annotation + " but not " + container}},
		"the sidecar of another service account": {
			func(pod *corev1.Pod) {
				*pod = *mutateForTest(t, pod)
				pod.Spec.ServiceAccountName = "another"
			},
			[]string{"not its own", testProxy, "sa/default", "remove " + container + " and " + volume}},
		"the sidecar of another proxy": {
			func(pod *corev1.Pod) {
				*pod = *mutateForTest(t, pod)
				pod.Labels[ProxyLabel] = "1" + testProxy[1:]
			},
			[]string{"not its own", testProxy}},
		"a bootstrap that can't be read": {
			func(pod *corev1.Pod) {
				*pod = *mutateForTest(t, pod)
				pod.Annotations[BootstrapAnnotation] = "{}"
			},
			[]string{"not its own", "sidecar bootstrap: ", "mesh: missing"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			pod := whole.DeepCopy()
			test.edit(pod)
			_, has, err := standing(pod, "bookstore", testConfig(t))
			if has || err == nil {
				t.Fatalf("has its sidecar: %v, error: %v", has, err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
		})
	}
}

func TestNothingOfThePodIsLostAndOnlyTheSidecarHasTheIdentity(t *testing.T) {
	for _, sample := range corpus(t) {
		mutated := mutateForTest(t, sample.pod)
		last := len(mutated.Spec.Containers) - 1
		if diff := cmp.Diff(sample.pod.Spec.Containers, mutated.Spec.Containers[:last]); diff != "" {
			t.Errorf("%s: containers changed:\n%s", sample.file, diff)
		}
		for _, container := range slices.Concat(mutated.Spec.InitContainers, mutated.Spec.Containers[:last]) {
			for _, mount := range container.VolumeMounts {
				if mount.Name == identityVolumeName {
					t.Errorf("%s: container %s mounts the identity", sample.file, container.Name)
				}
			}
		}
		if !bytes.Contains([]byte(mutated.Annotations[BootstrapAnnotation]), []byte(testProxy)) {
			t.Errorf("%s: the bootstrap lacks the proxy's id", sample.file)
		}
	}
}
