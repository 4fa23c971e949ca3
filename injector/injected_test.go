package injector

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/manifests/mesh"
)

// copies are what becomes of an injected pod at the hands of others.
func copies() map[string]func(*corev1.Pod) {
	debug := func(pod *corev1.Pod) { pod.Labels, pod.Annotations = nil, nil }
	return map[string]func(*corev1.Pod){
		"without labels and annotations": debug,
		"without labels":                 func(pod *corev1.Pod) { pod.Labels = nil },
		"without annotations":            func(pod *corev1.Pod) { pod.Annotations = nil },
		"without init containers": func(pod *corev1.Pod) {
			debug(pod)
			pod.Spec.InitContainers = nil
		},
		"with another container": func(pod *corev1.Pod) {
			debug(pod)
			pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: "debugger", Image: "example.test/debug:v1"})
		},
		"with other images": func(pod *corev1.Pod) {
			debug(pod)
			for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
				for i := range containers {
					containers[i].Image = "example.test/debug:v1"
				}
			}
		},
		"with labels and annotations, without init containers": func(pod *corev1.Pod) { pod.Spec.InitContainers = nil },
		"of a version that had no scripts": func(pod *corev1.Pod) {
			i := slices.IndexFunc(pod.Spec.Volumes, isIdentityVolume)
			sources := &pod.Spec.Volumes[i].Projected.Sources
			*sources = slices.DeleteFunc(*sources, isScripts)
		},
	}
}

func TestACopyOfAnInjectedPodIsInjectedAnew(t *testing.T) {
	for directory, variant := range variants() {
		config := testConfig(t, variant)
		for name, edit := range copies() {
			t.Run(directory+" "+name, func(t *testing.T) {
				pod := podWith(
					corev1.Container{Name: "one", Image: "example.test/one:v1"},
					corev1.Container{Name: "two", Image: "example.test/two:v1"})
				copied := become(t, config, pod)
				edit(copied)
				checkWhole(t, config, copied)
			})
		}
	}
}

// checkWhole injects a copy and wants every part of ours there once.
func checkWhole(t *testing.T, config *Config, copied *corev1.Pod) {
	t.Helper()
	kept := names(slices.DeleteFunc(slices.Clone(copied.Spec.Containers), isSidecar))
	after := become(t, config, copied)
	count := func(name string, containers []corev1.Container) (n int) {
		for _, c := range containers {
			if c.Name == name {
				n++
			}
		}
		return n
	}
	all := slices.Concat(after.Spec.InitContainers, after.Spec.Containers)
	intercepts := 0
	if config.settings.Interception == NFTables {
		intercepts = 1
	}
	if count(mesh.SidecarNames()[0], all) != 1 || count(mesh.InitContainer, all) != intercepts || len(after.Spec.Volumes) != 1 {
		t.Errorf("containers %v and %d volumes", names(all), len(after.Spec.Volumes))
	}
	if got := names(slices.DeleteFunc(after.Spec.Containers, isSidecar)); !slices.Equal(got, kept) {
		t.Errorf("containers %v, want %v", got, kept)
	}
	if find(t, become(t, config, copied), mesh.SidecarNames()[0]).Image != config.settings.SidecarImage {
		t.Error("the sidecar is that of the copy")
	}
	raw, err := json.Marshal(become(t, config, copied))
	if err != nil {
		t.Fatal(err)
	}
	if again := config.Inject(raw, bookstore(), testProxy); again.Reason != alreadyInjected {
		t.Errorf("the second time %s: %s, %v", again.Decision, again.Reason, again.Err)
	}
}

func TestEverySampleThatIsCopiedBecomesWhatItWas(t *testing.T) {
	injected(t, func(s sample, _ Result, after []byte) {
		copied := podOf(t, after)
		copied.Labels = without(copied).Labels // as kubectl debug --copy-to --keep-annotations
		raw, err := json.Marshal(copied)
		if err != nil {
			t.Fatal(err)
		}
		result := s.config.Inject(raw, s.namespace, testProxy)
		if result.Decision != Injected {
			t.Fatalf("%s: %s, %v", s.file, result.Decision, result.Err)
		}
		again := podOf(t, applied(t, raw, result.Patch))
		if diff := cmp.Diff(without(podOf(t, after)), without(again), cmp.Transformer("empty", emptyAsNil)); diff != "" {
			t.Errorf("%s: -first +again:\n%s", s.file, diff)
		}
	})
}

func TestProbesOfACopyThatLedThroughItsSidecarAreLeftOutWithAWarning(t *testing.T) {
	config := testConfig(t)
	pod := podWith(containerOf(t, `{name: app, livenessProbe: {httpGet: {port: 8080}}, readinessProbe: {exec: {command: ["true"]}}}`))
	copied := become(t, config, pod)
	copied.Annotations = nil
	raw, err := json.Marshal(copied)
	if err != nil {
		t.Fatal(err)
	}
	result := config.Inject(raw, bookstore(), testProxy)
	app := find(t, podOf(t, applied(t, raw, result.Patch)), "app")
	if app.LivenessProbe != nil || app.ReadinessProbe == nil || !slices.Equal(result.Warnings, []string{probesWarning}) {
		t.Errorf("probes %v and %v, warnings %q", app.LivenessProbe, app.ReadinessProbe, result.Warnings)
	}
}

func TestACopyOfTheSidecarAloneIsRefused(t *testing.T) {
	config := testConfig(t, func(s *Settings) { s.Placement = Container })
	copied := become(t, config, podWith(corev1.Container{Name: "app"}))
	copied.Labels, copied.Spec.Containers = nil, copied.Spec.Containers[:1]
	raw, err := json.Marshal(copied)
	if err != nil {
		t.Fatal(err)
	}
	result := config.Inject(raw, bookstore(), testProxy)
	if result.Decision != Refused || result.Patch != nil || !strings.Contains(result.Err.Error(), "no container but the mesh's") {
		t.Errorf("%s: %v, patch %v", result.Decision, result.Err, result.Patch)
	}
}

// TestAPodFromABackupIsWarnedOf has one that an older release injected: its
// sidecar stays, and its scripts may be nowhere any more.
func TestAPodFromABackupIsWarnedOf(t *testing.T) {
	config := testConfig(t)
	for scripts, warned := range map[string]bool{scriptsPrefix + "0123456789ab": false, scriptsPrefix + "000000000000": true} {
		pod := become(t, config, podWith(corev1.Container{Name: "app"}))
		for _, volume := range pod.Spec.Volumes {
			if i := slices.IndexFunc(volume.Projected.Sources, isScripts); i >= 0 {
				volume.Projected.Sources[i].ConfigMap.Name = scripts
			}
		}
		raw, err := json.Marshal(pod)
		if err != nil {
			t.Fatal(err)
		}
		result := config.Inject(raw, bookstore(), testProxy)
		if result.Reason != alreadyInjected || (len(result.Warnings) == 1 && strings.Contains(result.Warnings[0], scripts)) != warned {
			t.Errorf("%s: %s, warnings %q", scripts, result.Reason, result.Warnings)
		}
	}
}

func TestASidecarOfAnotherIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		edit func(*corev1.Pod)
		want string
	}{
		"of another service account": {func(pod *corev1.Pod) { pod.Spec.ServiceAccountName = "another" }, "sa/default"},
		"of another proxy":           {func(pod *corev1.Pod) { pod.Labels[ProxyLabel] = "1" + testProxy[1:] }, testProxy},
		"that can't be read":         {func(pod *corev1.Pod) { pod.Annotations[BootstrapAnnotation] = "{}" }, "mesh: missing"},
	} {
		t.Run(name, func(t *testing.T) {
			config := testConfig(t)
			pod := become(t, config, podWith(corev1.Container{Name: "app"}))
			test.edit(pod)
			raw, err := json.Marshal(pod)
			if err != nil {
				t.Fatal(err)
			}
			result := config.Inject(raw, bookstore(), testProxy)
			if result.Decision != Refused || result.Reason != conflict ||
				!strings.Contains(result.Err.Error(), "not its own") || !strings.Contains(result.Err.Error(), test.want) {
				t.Errorf("%s: %s, %v", result.Decision, result.Reason, result.Err)
			}
		})
	}
}
