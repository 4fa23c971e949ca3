package integration

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/injector"
)

// testEveryPod holds injection to what it promises of pods that were not
// written here: the API server takes what comes out, it is the pod that went in and a
// sidecar, and to inject it again changes nothing.
func testEveryPod(t *testing.T, client kubernetes.Interface) {
	const pods = 150
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	d := &draw{Rand: rand.New(rand.NewPCG(seed, 0))}
	inside := createNamespace(t, client, map[string]string{monitored: "osm"}, "")
	outside := createNamespace(t, client, nil, "")
	create := func(namespace string, pod *corev1.Pod) *corev1.Pod {
		t.Helper()
		created, err := client.CoreV1().Pods(namespace).Create(t.Context(), pod.DeepCopy(), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err != nil {
			t.Fatalf("%v\n%s", err, cmp.Diff(nil, pod))
		}
		return created
	}
	for range pods {
		pod := d.pod()
		plain := create(outside, pod)
		injected := create(inside, pod)
		if !hasSidecar(injected) {
			t.Fatal("a pod was not injected")
		}
		again := injected.DeepCopy()
		again.ObjectMeta = metav1.ObjectMeta{Name: "app", Labels: injected.Labels, Annotations: injected.Annotations}
		again.Status = corev1.PodStatus{}
		if diff := diffOf(injected, create(inside, again)); diff != "" {
			t.Fatalf("injected again, the pod changed:\n%s", diff)
		}
		if diff := diffOf(plain, without(t, injected, plain)); diff != "" {
			t.Fatalf("but for the sidecar it is another pod:\n%s", diff)
		}
		pod.Annotations = map[string]string{injection: "No"} // which is for the injector to read, not for its matchConditions
		if diff := diffOf(create(outside, pod), create(inside, pod)); diff != "" {
			t.Fatalf("a pod that declines was changed:\n%s", diff)
		}
	}
}

// diffOf compares what is the pod's own.
func diffOf(want, got *corev1.Pod) string {
	return cmp.Diff(want.Spec, got.Spec) + cmp.Diff(want.Labels, got.Labels) + cmp.Diff(want.Annotations, got.Annotations)
}

// without takes the sidecar out of an injected pod. What the kubelet asks the
// sidecar is put back as the plain pod has it, if the sidecar was told to ask
// just that.
func without(t *testing.T, injected, plain *corev1.Pod) *corev1.Pod {
	t.Helper()
	bootstrap, err := injector.ParseBootstrap([]byte(injected.Annotations[injector.BootstrapAnnotation]))
	if err != nil {
		t.Fatal(err)
	}
	pod := injected.DeepCopy()
	delete(pod.Labels, injector.ProxyLabel)
	delete(pod.Annotations, injector.BootstrapAnnotation)
	if len(pod.Labels) == 0 {
		pod.Labels = plain.Labels
	}
	if len(pod.Annotations) == 0 {
		pod.Annotations = plain.Annotations
	}
	ours := func(c corev1.Container) bool { return c.Name == "sidecar" || c.Name == "osm-init" }
	pod.Spec.Containers = slices.DeleteFunc(pod.Spec.Containers, ours)
	pod.Spec.InitContainers = slices.DeleteFunc(pod.Spec.InitContainers, ours)
	if len(pod.Spec.InitContainers) == 0 {
		pod.Spec.InitContainers = nil
	}
	pod.Spec.Volumes = slices.DeleteFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == "osm-identity" })
	if len(pod.Spec.Volumes) == 0 {
		pod.Spec.Volumes = plain.Spec.Volumes
	}
	asked := probes(bootstrap.Probes)
	for _, lists := range [][2][]corev1.Container{
		{pod.Spec.Containers, plain.Spec.Containers}, {pod.Spec.InitContainers, plain.Spec.InitContainers},
	} {
		for i := range lists[0] {
			asked.putBack(t, &lists[0][i], &lists[1][i])
		}
	}
	if len(asked) != 0 {
		t.Fatalf("the sidecar got probes that no kubelet makes: %v", asked)
	}
	return pod
}

type probe struct {
	port int
	path string
}

type asked map[probe]injector.Probe

func probes(probes []injector.Probe) asked {
	a := asked{}
	for _, p := range probes {
		a[probe{int(p.Port), p.Path}] = p
	}
	return a
}

func (a asked) putBack(t *testing.T, got, want *corev1.Container) {
	t.Helper()
	for _, pair := range [][2]*corev1.Probe{
		{got.LivenessProbe, want.LivenessProbe}, {got.ReadinessProbe, want.ReadinessProbe}, {got.StartupProbe, want.StartupProbe},
	} {
		if pair[0] == nil || pair[1] == nil {
			continue
		}
		handler := pair[1].ProbeHandler
		var port string
		switch {
		case handler.HTTPGet != nil:
			port = handler.HTTPGet.Port.String()
		case handler.TCPSocket != nil:
			port = handler.TCPSocket.Port.String()
		case handler.GRPC != nil:
			port = strconv.Itoa(int(handler.GRPC.Port))
		}
		if a.take(t, pair[0].HTTPGet, want, port) {
			pair[0].ProbeHandler = handler
		}
	}
	if got.Lifecycle != nil && got.Lifecycle.PreStop != nil && a.take(t, got.Lifecycle.PreStop.HTTPGet, want, want.Lifecycle.PreStop.HTTPGet.Port.String()) {
		got.Lifecycle.PreStop.HTTPGet = want.Lifecycle.PreStop.HTTPGet
	}
}

// take reports whether the request goes to the sidecar, which was told to pass
// it on to that port of the container.
func (a asked) take(t *testing.T, get *corev1.HTTPGetAction, c *corev1.Container, port string) bool {
	t.Helper()
	if get == nil || !strings.HasPrefix(get.Path, "/osm/") {
		return false
	}
	key := probe{get.Port.IntValue(), get.Path}
	probe, told := a[key]
	if !told {
		t.Fatalf("the sidecar was not told of %v", key)
	}
	delete(a, key)
	for _, p := range c.Ports {
		if p.Name == port {
			port = strconv.Itoa(int(p.ContainerPort))
		}
	}
	if port != strconv.Itoa(int(probe.Target)) {
		t.Fatalf("the sidecar passes %v on to port %d, not %s", key, probe.Target, port)
	}
	return true
}
