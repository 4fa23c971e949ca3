package injector

import (
	"encoding/json"
	"slices"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/manifests/mesh"
)

// applied is document after a JSON Patch, as the API server applies it.
func applied(t testing.TB, document []byte, operations []operation) []byte {
	t.Helper()
	encoded, err := json.Marshal(operations)
	if err != nil {
		t.Fatal(err)
	}
	if operations == nil {
		return document
	}
	decoded, err := jsonpatch.DecodePatch(encoded)
	if err != nil {
		t.Fatal(err)
	}
	result, err := decoded.Apply(document)
	if err != nil {
		t.Fatalf("applying %s: %v", encoded, err)
	}
	return result
}

// without is a pod less what injection adds to it, and less what it changes: the
// probes of the kubelet.
func without(pod *corev1.Pod) *corev1.Pod {
	pod = pod.DeepCopy()
	ours := func(c corev1.Container) bool { return mesh.IsSidecar(&c) || c.Name == mesh.InitContainer }
	pod.Spec.Containers = slices.DeleteFunc(pod.Spec.Containers, ours)
	pod.Spec.InitContainers = slices.DeleteFunc(pod.Spec.InitContainers, ours)
	pod.Spec.Volumes = slices.DeleteFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == mesh.IdentityVolume })
	delete(pod.Labels, ProxyLabel)
	for _, key := range []string{BootstrapAnnotation, defaultContainerAnnotation, scrapeAnnotation, scrapePortAnnotation, scrapePathAnnotation} {
		delete(pod.Annotations, key)
	}
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			for _, q := range kubeletProbes(&containers[i]) {
				if q.handler != nil && q.handler.Exec == nil {
					q.remove(&containers[i])
				}
			}
		}
	}
	if len(pod.Labels) == 0 {
		pod.Labels = nil
	}
	if len(pod.Annotations) == 0 {
		pod.Annotations = nil
	}
	return pod
}

func TestNothingOfThePodIsLost(t *testing.T) {
	injected(t, func(s sample, _ Result, after []byte) {
		before, now := without(s.pod), without(podOf(t, after))
		if diff := cmp.Diff(before, now, cmp.Transformer("empty", emptyAsNil)); diff != "" {
			t.Errorf("%s: -before +after:\n%s", s.file, diff)
		}
	})
}

// emptyAsNil makes lists that are empty like those that are not there.
func emptyAsNil(spec corev1.PodSpec) corev1.PodSpec {
	if len(spec.InitContainers) == 0 {
		spec.InitContainers = nil
	}
	if len(spec.Volumes) == 0 {
		spec.Volumes = nil
	}
	return spec
}

func TestFieldsThatThisVersionDoesNotKnowStay(t *testing.T) {
	raw := []byte(`{"metadata":{"name":"app","fieldOfTomorrow":1},"spec":{"fieldOfTomorrow":{"a":1},"containers":[
		{"name":"app","fieldOfTomorrow":true,"livenessProbe":{"fieldOfTomorrow":[],"httpGet":{"port":80,"fieldOfTomorrow":"x"}}}]}}`)
	for name, edit := range variants() {
		after := applied(t, raw, testConfig(t, edit).Inject(raw, bookstore(), testProxy).Patch)
		var pod any
		if err := json.Unmarshal(after, &pod); err != nil {
			t.Fatal(err)
		}
		if got := count(pod, "fieldOfTomorrow"); got != 5 {
			t.Errorf("%s: %d of 5 fields are left: %s", name, got, after)
		}
	}
}

// count tells how often key is in a document.
func count(document any, key string) (n int) {
	switch node := document.(type) {
	case map[string]any:
		for k, value := range node {
			if k == key {
				n++
			}
			n += count(value, key)
		}
	case []any:
		for _, value := range node {
			n += count(value, key)
		}
	}
	return n
}

func TestATemplateWithoutMetadataGetsSome(t *testing.T) {
	for _, raw := range []string{
		`{"spec":{"containers":[{"name":"app"}]}}`,
		`{"metadata":null,"spec":{"containers":[{"name":"app"}]}}`,
		`{"metadata":{"fieldOfTomorrow":1},"spec":{"containers":[{"name":"app"}]}}`,
	} {
		result := testConfig(t).Inject([]byte(raw), bookstore(), testProxy)
		pod := podOf(t, applied(t, []byte(raw), result.Patch))
		if pod.Labels[ProxyLabel] != testProxy || pod.Annotations[BootstrapAnnotation] == "" {
			t.Errorf("%s became %v", raw, pod.ObjectMeta)
		}
	}
}

func TestInjectingTwiceChangesNothing(t *testing.T) {
	injected(t, func(s sample, _ Result, after []byte) {
		again := s.config.Inject(after, s.namespace, "1"+testProxy[1:])
		if again.Decision != Skipped || again.Reason != alreadyInjected || len(again.Patch) > 0 {
			t.Errorf("%s: %s: %s, %v", s.file, again.Decision, again.Reason, again.Err)
		}
	})
}

func TestKeysAreEscapedAsJSONPointers(t *testing.T) {
	before := map[string]string{"kept": "1", "a/b~c": "old"}
	after := map[string]string{"a/b~c": "new", "~1": "x"}
	document, err := json.Marshal(map[string]any{"labels": before})
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Labels map[string]string }
	if err := json.Unmarshal(applied(t, document, entriesPatch("/labels", before, after)), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"kept": "1", "a/b~c": "new", "~1": "x"}, got.Labels); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestFirstItemsComeFirstAndLastItemsLastInTheirOrder(t *testing.T) {
	for _, there := range [][]int{nil, {}, {5}, {5, 6}} {
		document, err := json.Marshal(map[string]any{"list": there})
		if err != nil {
			t.Fatal(err)
		}
		operations := listPatch("/list", len(there), []int{1, 2}, []int{8, 9})
		var got struct{ List []int }
		if err := json.Unmarshal(applied(t, document, operations), &got); err != nil {
			t.Fatal(err)
		}
		if want := slices.Concat([]int{1, 2}, there, []int{8, 9}); !slices.Equal(got.List, want) {
			t.Errorf("got %v, want %v", got.List, want)
		}
	}
}
