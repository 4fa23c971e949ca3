package survey

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/cmd/internal/check"
	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/manifests/mesh"
)

// timeout is how long a sidecar may take to become ready.
const timeout = time.Minute

func describe(pod *corev1.Pod, ns *corev1.Namespace, now time.Time) check.Pod {
	one := check.Pod{Namespace: pod.Namespace, Name: pod.Name, Workload: workload(pod), Exempt: exempt(pod, ns), Container: mesh.SidecarName(pod)}
	for _, secret := range pod.Spec.ImagePullSecrets {
		one.PullSecrets = append(one.PullSecrets, secret.Name)
	}
	_, one.Sidecar = pod.Labels[injector.ProxyLabel]
	if one.Sidecar && !ended(pod) {
		one.NotReady = notReady(pod, now)
	}
	return one
}

func ended(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// exempt tells whether a pod rightly has no sidecar.
func exempt(pod *corev1.Pod, ns *corev1.Namespace) bool {
	wanted, err := injector.Wanted(pod, ns)
	return ended(pod) || err == nil && !wanted
}

// notReady returns why the sidecar is not, of a pod that has had the time.
func notReady(pod *corev1.Pod, now time.Time) string {
	statuses, sidecar := slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses), mesh.SidecarName(pod)
	for _, status := range statuses {
		waits := status.State.Waiting
		switch {
		case status.Name != sidecar && status.Name != mesh.InitContainer:
		case waits != nil && failing(waits.Reason):
			return fmt.Sprintf("container %s: %s", status.Name, waits.Reason)
		case status.Name == sidecar && !status.Ready && pod.Status.StartTime != nil && now.Sub(pod.Status.StartTime.Time) > timeout:
			return fmt.Sprintf("it has no valid certificate, or does not run, %s after its pod started", now.Sub(pod.Status.StartTime.Time).Round(time.Second))
		}
	}
	return ""
}

// failing tells what a container waits for in vain from what it waits for while
// its pod starts.
func failing(reason string) bool {
	return reason != "" && reason != "PodInitializing" && reason != "ContainerCreating"
}

// workload names what made a pod, as kubectl rollout restart takes it.
func workload(pod *corev1.Pod) string {
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return ""
	}
	switch owner.Kind {
	case "ReplicaSet":
		if name, ok := strings.CutSuffix(owner.Name, "-"+pod.Labels["pod-template-hash"]); ok {
			return "deployment/" + name
		}
	case "StatefulSet", "DaemonSet":
		return strings.ToLower(owner.Kind) + "/" + owner.Name
	}
	return ""
}
