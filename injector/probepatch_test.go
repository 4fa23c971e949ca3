package injector

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const excludedPort = 1234

// probedPod makes pods of random probes and hooks, and knows which of them a
// sidecar has to ask.
type probedPod struct {
	*rand.Rand
	asked int
}

func (r *probedPod) pod() *corev1.Pod {
	r.asked = 0
	pod := &corev1.Pod{}
	for i := range r.IntN(4) {
		c := r.container("init" + strconv.Itoa(i))
		c.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
		pod.Spec.InitContainers = append(pod.Spec.InitContainers, c)
	}
	for i := range r.IntN(12) {
		pod.Spec.Containers = append(pod.Spec.Containers, r.container("app"+strconv.Itoa(i)))
	}
	return pod
}

func (r *probedPod) container(name string) corev1.Container {
	return corev1.Container{
		Name:           name,
		Ports:          []corev1.ContainerPort{{Name: "named", ContainerPort: 8080}, {Name: "excluded", ContainerPort: excludedPort}},
		LivenessProbe:  r.probe(),
		ReadinessProbe: r.probe(),
		StartupProbe:   r.probe(),
		Lifecycle:      r.lifecycle(),
	}
}

func (r *probedPod) probe() *corev1.Probe {
	probe := &corev1.Probe{TimeoutSeconds: r.Int32N(3), PeriodSeconds: r.Int32N(3)}
	switch r.IntN(7) {
	case 0:
		return nil
	case 1: // which the API server refuses
		probe.TCPSocket, probe.GRPC = &corev1.TCPSocketAction{Port: r.port()}, &corev1.GRPCAction{Port: 80}
		probe.HTTPGet = &corev1.HTTPGetAction{Port: r.port()}
	case 2:
		probe.Exec = &corev1.ExecAction{Command: []string{"true"}}
	case 3:
		probe.TCPSocket = &corev1.TCPSocketAction{Port: r.port(), Host: r.host()}
		r.count(probe.TCPSocket.Port, probe.TCPSocket.Host)
	case 4:
		probe.GRPC = &corev1.GRPCAction{Port: []int32{80, excludedPort, 0, 70000}[r.IntN(4)]}
		r.count(intstr.FromInt32(probe.GRPC.Port), "")
	default:
		probe.HTTPGet = r.get()
	}
	return probe
}

func (r *probedPod) lifecycle() *corev1.Lifecycle {
	lifecycle := &corev1.Lifecycle{}
	switch r.IntN(4) {
	case 0:
		return nil
	case 1:
		lifecycle.PostStart = &corev1.LifecycleHandler{HTTPGet: r.get()}
		fallthrough
	case 2:
		lifecycle.PreStop = &corev1.LifecycleHandler{HTTPGet: r.get()}
	default:
		lifecycle.PreStop = &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 1}}
	}
	return lifecycle
}

func (r *probedPod) get() *corev1.HTTPGetAction {
	get := &corev1.HTTPGetAction{
		Path:   []string{"", "/", "a b", "//h/p?q", "/%zz"}[r.IntN(5)],
		Port:   r.port(),
		Host:   r.host(),
		Scheme: []corev1.URIScheme{"", corev1.URISchemeHTTP, corev1.URISchemeHTTPS}[r.IntN(3)],
	}
	if r.IntN(2) == 0 {
		get.HTTPHeaders = []corev1.HTTPHeader{{Name: "X", Value: "y"}, {Name: "X", Value: "z"}}
	}
	r.count(get.Port, get.Host)
	return get
}

func (r *probedPod) port() intstr.IntOrString {
	return []intstr.IntOrString{
		intstr.FromInt32(80), intstr.FromInt32(65535), intstr.FromString("named"), intstr.FromInt32(excludedPort),
		intstr.FromString("excluded"), intstr.FromString("unknown"), intstr.FromInt32(0), intstr.FromInt32(-1),
	}[r.IntN(8)]
}

func (r *probedPod) host() string {
	return []string{"", "", "", "h.test"}[r.IntN(4)]
}

func (r *probedPod) count(port intstr.IntOrString, host string) {
	if host == "" && (port.IntVal == 80 || port.IntVal == 65535 || port.StrVal == "named") {
		r.asked++
	}
}

// patchOf is the patch of both kinds of containers.
func patchOf(before, after *corev1.Pod) []operation {
	return slices.Concat(
		probesPatch("/spec/initContainers", before.Spec.InitContainers, after.Spec.InitContainers),
		probesPatch("/spec/containers", before.Spec.Containers, after.Spec.Containers))
}

func forRandomPods(t *testing.T, check func(t *testing.T, pod *corev1.Pod, asked int)) {
	t.Helper()
	for seed := range uint64(200) {
		random := &probedPod{Rand: rand.New(rand.NewPCG(seed, 0))}
		pod := random.pod()
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) { check(t, pod, random.asked) })
	}
}

func rewritten(t testing.TB, pod *corev1.Pod) (*corev1.Pod, []Probe) {
	t.Helper()
	after := pod.DeepCopy()
	probes, err := rewriteProbes(after, []uint16{excludedPort})
	if err != nil {
		t.Fatal(err)
	}
	return after, probes
}

func TestOfAnyPodTheSidecarIsToldEveryProbeThatTheKubeletAsksItFor(t *testing.T) {
	forRandomPods(t, func(t *testing.T, pod *corev1.Pod, asked int) {
		after, probes := rewritten(t, pod)
		if len(probes) != asked {
			t.Errorf("%d probes, want %d: %v", len(probes), asked, probes)
		}
		told := map[string]int{}
		for _, probe := range probes {
			told[strconv.Itoa(int(probe.Port))+probe.Path]++
			if err := probe.check(); err != nil {
				t.Errorf("%+v: %v", probe, err)
			}
		}
		for _, c := range slices.Concat(after.Spec.InitContainers, after.Spec.Containers) {
			for _, q := range kubeletProbes(&c) {
				if q.isRewritten(&c) {
					told[q.handler.HTTPGet.Port.String()+q.handler.HTTPGet.Path]--
				}
			}
		}
		for place, difference := range told {
			if difference != 0 {
				t.Errorf("%s: told %+d times more than asked", place, difference)
			}
		}
	})
}

func TestOfAnyPodThePatchMakesWhatRewritingMakes(t *testing.T) {
	forRandomPods(t, func(t *testing.T, pod *corev1.Pod, _ int) {
		after, _ := rewritten(t, pod)
		copied := after.DeepCopy()
		removeRewritten(copied)
		for _, step := range []struct{ before, after *corev1.Pod }{{pod, after}, {after, copied}, {pod, pod}} {
			document := asJSON(t, step.before)
			got := podOf(t, applied(t, document, patchOf(step.before, step.after)))
			if diff := cmp.Diff(podOf(t, asJSON(t, step.after)), got); diff != "" {
				t.Errorf("-rewritten +patched:\n%s", diff)
			}
		}
	})
}

func TestNoPodIsRewrittenTwice(t *testing.T) {
	forRandomPods(t, func(t *testing.T, pod *corev1.Pod, asked int) {
		after, _ := rewritten(t, pod)
		again := after.DeepCopy()
		if probes, err := rewriteProbes(again, []uint16{excludedPort}); (err != nil) != (asked > 0) || len(probes) > 0 {
			t.Errorf("%d were rewritten, then: %v, error: %v", asked, probes, err)
		}
		if diff := cmp.Diff(after, again); diff != "" {
			t.Errorf("-once +twice:\n%s", diff)
		}
	})
}

func TestThePatchOfProbesKeepsFieldsThatThisVersionDoesNotKnow(t *testing.T) {
	document := []byte(`{"spec": {"containers": [{"name": "a", "new": 1}, {
		"name": "b", "new": 1,
		"livenessProbe": {"new": 1, "httpGet": {"new": 1, "port": "http", "scheme": "HTTPS"}},
		"readinessProbe": {"new": 1, "httpGet": null, "tcpSocket": {"port": 80}},
		"startupProbe": {"new": 1, "grpc": {"port": 80}},
		"lifecycle": {"new": 1, "preStop": {"new": 1, "httpGet": {"new": 1, "path": "/", "port": 80}}},
		"ports": [{"name": "http", "containerPort": 80}]}]}}`)
	want := `{"spec": {"containers": [{"name": "a", "new": 1}, {
		"name": "b", "new": 1,
		"livenessProbe": {"new": 1, "httpGet": {"new": 1, "path": "/osm/b/liveness", "port": 15901, "scheme": "HTTP"}},
		"readinessProbe": {"new": 1, "httpGet": {"path": "/osm/b/readiness", "port": 15904}},
		"startupProbe": {"new": 1, "httpGet": {"path": "/osm/b/startup", "port": 15903}},
		"lifecycle": {"new": 1, "preStop": {"new": 1, "httpGet": {"new": 1, "path": "/osm/b/preStop", "port": 15901}}},
		"ports": [{"name": "http", "containerPort": 80}]}]}}`
	pod := podOf(t, document)
	after, _ := rewritten(t, pod)
	var got, wanted any
	if err := json.Unmarshal(applied(t, document, patchOf(pod, after)), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func asJSON(t testing.TB, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// BenchmarkProbes rewrites a pod of three containers with three probes each,
// and makes the patch.
func BenchmarkProbes(b *testing.B) {
	var pod corev1.Pod
	for _, name := range []string{"a", "b", "c"} {
		pod.Spec.Containers = append(pod.Spec.Containers, containerOf(b, `{name: `+name+`, ports: [{name: http, containerPort: 8080}],
			livenessProbe: {httpGet: {path: /healthz, port: http, scheme: HTTP}},
			readinessProbe: {httpGet: {path: "/ready?full=1", port: 8443, scheme: HTTPS}},
			startupProbe: {tcpSocket: {port: http}}}`))
	}
	copies := make([]*corev1.Pod, b.N)
	for i := range copies {
		copies[i] = pod.DeepCopy()
	}
	b.ReportAllocs()
	b.ResetTimer()
	for _, copied := range copies {
		if probes, err := rewriteProbes(copied, []uint16{excludedPort}); err != nil || len(probes) != 9 {
			b.Fatalf("%d probes, error: %v", len(probes), err)
		}
		if operations := patchOf(&pod, copied); len(operations) != 21 {
			b.Fatalf("%d operations", len(operations))
		}
	}
}
