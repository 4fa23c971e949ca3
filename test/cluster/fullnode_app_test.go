//go:build e2e

package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/test/image"
)

const appImage = "localhost/app:1"

// packApp makes the image of testdata/app.
func packApp(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "app")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./testdata/app")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	if err := image.PackFile(t.Context(), binary+".tar", image.Options{Binary: binary, Name: appImage}); err != nil {
		t.Fatal(err)
	}
	return binary + ".tar"
}

// app is a container of that image, as little privileged as one can be.
func app(name string, args ...string) corev1.Container {
	return corev1.Container{
		Name: name, Image: appImage, ImagePullPolicy: corev1.PullNever, Args: args,
		SecurityContext: &corev1.SecurityContext{
			RunAsNonRoot: new(true), ReadOnlyRootFilesystem: new(true), AllowPrivilegeEscalation: new(false),
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
	}
}

// probed is app with a readiness probe.
func probed(name string, args ...string) corev1.Container {
	c := app(name, args...)
	c.ReadinessProbe = &corev1.Probe{PeriodSeconds: 1, ProbeHandler: onPort8080()}
	return c
}

func onPort8080() corev1.ProbeHandler {
	return corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromInt32(8080)}}
}

func createPod(t *testing.T, client kubernetes.Interface, name string, spec corev1.PodSpec) {
	t.Helper()
	spec.RestartPolicy = corev1.RestartPolicyNever
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": name}}, Spec: spec}
	if _, err := client.CoreV1().Pods(metav1.NamespaceDefault).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// runPod runs the pod to its success and returns what its container printed, by lines.
func runPod(t *testing.T, client kubernetes.Interface, name string, spec corev1.PodSpec) (*corev1.Pod, []string) {
	t.Helper()
	createPod(t, client, name, spec)
	pod := awaitPhase(t, client, name, corev1.PodSucceeded)
	return pod, output(t, client, pod)
}

func awaitPhase(t *testing.T, client kubernetes.Interface, name string, phase corev1.PodPhase) *corev1.Pod {
	t.Helper()
	var pod *corev1.Pod
	err := await(t.Context(), fmt.Sprintf("pod %s to be %s", name, phase), nil, func(ctx context.Context) (err error) {
		pod, err = client.CoreV1().Pods(metav1.NamespaceDefault).Get(ctx, name, metav1.GetOptions{})
		if err != nil || pod.Status.Phase == phase || pod.Status.Phase == corev1.PodFailed {
			return err
		}
		return fmt.Errorf("it is %s: %+v", pod.Status.Phase, pod.Status.ContainerStatuses)
	})
	if err != nil {
		t.Fatal(err)
	}
	if pod.Status.Phase != phase {
		t.Fatalf("pod %s has %s: %q", name, pod.Status.Phase, output(t, client, pod))
	}
	return pod
}

func output(t *testing.T, client kubernetes.Interface, pod *corev1.Pod) []string {
	t.Helper()
	options := &corev1.PodLogOptions{Container: pod.Spec.Containers[0].Name}
	log, err := client.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, options).DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(log), "\n"), "\n")
}
