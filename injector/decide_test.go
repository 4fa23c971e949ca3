package injector

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// saying annotates an object, unless value is empty.
func saying(value string) map[string]string {
	if value == "" {
		return nil
	}
	return map[string]string{injectionAnnotation: value}
}

func TestAPodOfAMonitoredNamespaceIsInjectedUnlessItOrTheNamespaceSaysNo(t *testing.T) {
	tests := []struct {
		namespace, pod string
		want           bool
	}{
		{"", "", true},
		{"", "enabled", true},
		{"", "disabled", false},
		{"enabled", "", true},
		{"enabled", "enabled", true},
		{"enabled", "disabled", false},
		{"disabled", "", false},
		{"disabled", "enabled", true},
		{"disabled", "disabled", false},
		{"yes", "no", false},
		{"no", "yes", true},
		{"true", "false", false},
		{"false", "true", true},
		{"Disabled", "ENABLED", true},
		{"True", "No", false},
	}
	for _, test := range tests {
		t.Run("namespace "+test.namespace+" pod "+test.pod, func(t *testing.T) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: saying(test.pod)}}
			namespace := bookstore(func(n *corev1.Namespace) { n.Annotations = saying(test.namespace) })
			got, err := decide(pod, namespace, testConfig(t))
			if err != nil || got.inject != test.want || got.reason == "" {
				t.Errorf("decided %+v, %v", got, err)
			}
		})
	}
}

func mirrored(annotations map[string]string) map[string]string {
	return map[string]string{corev1.MirrorPodAnnotationKey: "1", injectionAnnotation: annotations[injectionAnnotation]}
}

func TestWhatIsNotOfTheMeshIsNeverTouchedWhateverItSays(t *testing.T) {
	tests := map[string]func(*corev1.Pod, *corev1.Namespace){
		"a namespace without the label":        func(_ *corev1.Pod, n *corev1.Namespace) { n.Labels = nil },
		"a namespace of another mesh":          func(_ *corev1.Pod, n *corev1.Namespace) { n.Labels[monitoredByLabel] = "other" },
		"a namespace with an empty label":      func(_ *corev1.Pod, n *corev1.Namespace) { n.Labels[monitoredByLabel] = "" },
		"a pod on the host's network":          func(p *corev1.Pod, _ *corev1.Namespace) { p.Spec.HostNetwork = true },
		"a pod for Windows":                    func(p *corev1.Pod, _ *corev1.Namespace) { p.Spec.OS = &corev1.PodOS{Name: corev1.Windows} },
		"a pod that stands for a static one":   func(p *corev1.Pod, _ *corev1.Namespace) { p.Annotations = mirrored(p.Annotations) },
		"kube-system":                          func(_ *corev1.Pod, n *corev1.Namespace) { n.Name = "kube-system" },
		"kube-public":                          func(_ *corev1.Pod, n *corev1.Namespace) { n.Name = "kube-public" },
		"kube-node-lease":                      func(_ *corev1.Pod, n *corev1.Namespace) { n.Name = "kube-node-lease" },
		"the mesh's own namespace":             func(_ *corev1.Pod, n *corev1.Namespace) { n.Name = "osm-system" },
		"a namespace to be ignored":            func(_ *corev1.Pod, n *corev1.Namespace) { n.Labels[ignoreLabel] = "true" },
		"a namespace to be ignored, empty":     func(_ *corev1.Pod, n *corev1.Namespace) { n.Labels[ignoreLabel] = "" },
		"a namespace to be ignored says false": func(_ *corev1.Pod, n *corev1.Namespace) { n.Labels[ignoreLabel] = "false" },
	}
	for name, edit := range tests {
		for _, value := range []string{"", "enabled", "nonsense"} {
			t.Run(name+" "+value, func(t *testing.T) {
				pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: saying(value)}}
				namespace := bookstore(func(n *corev1.Namespace) { n.Annotations = saying(value) })
				edit(pod, namespace)
				got, err := decide(pod, namespace, testConfig(t))
				if err != nil || got.inject || got.reason == "" {
					t.Errorf("decided %+v, %v", got, err)
				}
			})
		}
	}
}

func TestAnyOtherAnnotationIsRefusedByObjectValueAndFix(t *testing.T) {
	tests := map[string]struct {
		namespace, pod, generateName string
		want                         []string
	}{
		"of a pod":           {"", "maybe", "", []string{"pod bookstore/bookstore-v2: ", `"maybe"`}},
		"of a generated pod": {"", "on", "bookstore-v2-", []string{"pod bookstore/bookstore-v2-*: ", `"on"`}},
		"of the namespace":   {"off", "", "", []string{"namespace bookstore: ", `"off"`}},
		"of the namespace, though the pod declines": {"1", "no", "", []string{"namespace bookstore: ", `"1"`}},
		"with a blank": {"", "yes ", "", []string{`"yes "`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "bookstore-v2", Annotations: saying(test.pod)}}
			if test.generateName != "" {
				pod.Name, pod.GenerateName = "", test.generateName
			}
			namespace := bookstore(func(n *corev1.Namespace) { n.Annotations = saying(test.namespace) })
			_, err := decide(pod, namespace, testConfig(t))
			if err == nil {
				t.Fatal("not refused")
			}
			accepted := []string{"openservicemesh.io/sidecar-injection", "enabled, yes or true", "disabled, no or false", "remove it"}
			for _, want := range append(test.want, accepted...) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
		})
	}
}

func TestAnEmptyAnnotationIsRefused(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{injectionAnnotation: ""}}}
	if _, err := decide(pod, bookstore(), testConfig(t)); err == nil {
		t.Error("not refused")
	}
}

func FuzzTheInjectionAnnotation(f *testing.F) {
	for _, value := range []string{"enabled", "YES", "true", "disabled", "no", "False", "", "maybe", "yes\n", "ｙｅｓ", "Kelvin K"} {
		f.Add(value)
	}
	answers := map[string]answer{"enabled": yes, "yes": yes, "true": yes, "disabled": no, "no": no, "false": no}
	f.Fuzz(func(t *testing.T, value string) {
		got, err := parseInjection(map[string]string{injectionAnnotation: value})
		want, known := answers[strings.ToLower(value)]
		if got != want || (err == nil) != known {
			t.Errorf("%q is %v, %v", value, got, err)
		}
	})
}
