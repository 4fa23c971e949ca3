package injector

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestWhoCreatesAPodIsWarnedOfWhatWillNotWork(t *testing.T) {
	restricted := func(n *corev1.Namespace) { n.Labels[podSecurityLabel] = "restricted" }
	declined := map[string]string{injectionAnnotation: "disabled"}
	for name, test := range map[string]struct {
		settings  func(*Settings)
		namespace func(*corev1.Namespace)
		pod       func(*corev1.Pod)
		want      string
	}{
		"nothing": {},
		"the host's network": {
			pod: func(pod *corev1.Pod) { pod.Spec.HostNetwork = true }, want: "uses the host's network"},
		"the host's network, declined": {
			pod: func(pod *corev1.Pod) { pod.Spec.HostNetwork, pod.Annotations = true, declined }},
		"Windows by name": {
			pod: func(pod *corev1.Pod) { pod.Spec.OS = &corev1.PodOS{Name: corev1.Windows} }, want: "is for Windows"},
		"Windows by its node": {
			pod: func(pod *corev1.Pod) { pod.Spec.NodeSelector = map[string]string{"kubernetes.io/os": "windows"} }, want: "is for Windows"},
		"Windows, declined": {
			pod: func(pod *corev1.Pod) {
				pod.Spec.OS, pod.Annotations = &corev1.PodOS{Name: corev1.Windows}, declined
			}},
		"Linux by name": {
			pod: func(pod *corev1.Pod) { pod.Spec.OS = &corev1.PodOS{Name: corev1.Linux} }},
		"a restricted namespace": {
			namespace: restricted, want: "osm-init needs capability NET_ADMIN and user 0: set osm.injector.interception=none or label it pod-security.kubernetes.io/enforce=privileged"},
		"a baseline namespace": {
			namespace: func(n *corev1.Namespace) { n.Labels[podSecurityLabel] = "baseline" }, want: "Pod Security baseline"},
		"a privileged namespace": {
			namespace: func(n *corev1.Namespace) { n.Labels[podSecurityLabel] = "privileged" }},
		"a restricted namespace without interception": {
			settings: func(s *Settings) { s.Interception = NoInterception }, namespace: restricted},
		"a plain sidecar of a pod that ends": {
			settings: func(s *Settings) { s.Placement = Container },
			pod:      func(pod *corev1.Pod) { pod.Spec.RestartPolicy = corev1.RestartPolicyOnFailure },
			want:     "POST http://127.0.0.1:15000/quit"},
		"a plain sidecar of a pod that goes on": {
			settings: func(s *Settings) { s.Placement = Container },
			pod:      func(pod *corev1.Pod) { pod.Spec.RestartPolicy = corev1.RestartPolicyAlways }},
		"a native sidecar of a pod that ends": {
			pod: func(pod *corev1.Pod) { pod.Spec.RestartPolicy = corev1.RestartPolicyNever }},
		"an annotation that nothing reads": {
			pod: func(pod *corev1.Pod) {
				pod.Annotations = map[string]string{"openservicemesh.io/outbound-port-exclusion": "80"}
			}, want: "has no effect"},
	} {
		t.Run(name, func(t *testing.T) {
			pod, namespace, settings := podWith(corev1.Container{Name: "app"}), bookstore(), func(*Settings) {}
			if test.pod != nil {
				test.pod(pod)
			}
			if test.namespace != nil {
				test.namespace(namespace)
			}
			if test.settings != nil {
				settings = test.settings
			}
			raw, err := json.Marshal(pod)
			if err != nil {
				t.Fatal(err)
			}
			got := testConfig(t, settings).Inject(raw, namespace, testProxy).Warnings
			if (len(got) == 1) != (test.want != "") || len(got) > 1 || !strings.Contains(strings.Join(got, ""), test.want) {
				t.Errorf("warned %q, want %q", got, test.want)
			}
		})
	}
}

// The API server cuts off more than 256 bytes of a warning, and drops warnings
// beyond 4096 bytes in all.
func TestWarningsAreAsShortAsTheAPIServerWants(t *testing.T) {
	config := testConfig(t, func(s *Settings) { s.Placement = Container })
	namespace := bookstore(func(n *corev1.Namespace) {
		n.Name = strings.Repeat("n", 63)
		n.Labels[podSecurityLabel] = "restricted"
	})
	pod := podWith(containerOf(t, `{name: app, livenessProbe: {httpGet: {port: 80}}}`))
	pod.Spec.RestartPolicy = corev1.RestartPolicyNever
	pod = become(t, config, pod)
	pod.Annotations = map[string]string{}
	for _, letter := range "abcdefghijklmnopqrstuvwxyz" {
		pod.Annotations["openservicemesh.io/sidecar-"+strings.Repeat(string(letter), 55)] = ""
	}
	raw, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	result := config.Inject(raw, namespace, testProxy)
	total := len(strings.Join(result.Warnings, ""))
	for _, warning := range slices.Concat(result.Warnings, skipWarnings(hostNetwork), skipWarnings(windows)) {
		if len(warning) > 256 {
			t.Errorf("%d bytes: %s", len(warning), warning)
		}
	}
	if len(result.Warnings) < 4 || total > 4096 {
		t.Errorf("%d warnings of %d bytes", len(result.Warnings), total)
	}
}
