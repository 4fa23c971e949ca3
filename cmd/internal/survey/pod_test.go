package survey

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/manifests/mesh"
)

func TestTheSidecarIsFoundUnderEitherName(t *testing.T) {
	now := time.Now()
	for _, name := range mesh.SidecarNames() {
		other := mesh.SidecarNames()[0]
		if name == other {
			other = "mysql"
		}
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "mysql-0", Labels: map[string]string{injector.ProxyLabel: "1"}},
			Spec: corev1.PodSpec{
				InitContainers:   []corev1.Container{{Name: mesh.InitContainer}, {Name: name, VolumeMounts: []corev1.VolumeMount{{Name: mesh.IdentityVolume}}}},
				Containers:       []corev1.Container{{Name: other}},
				ImagePullSecrets: []corev1.LocalObjectReference{{Name: "registry"}},
			},
			Status: corev1.PodStatus{
				Phase: corev1.PodRunning, StartTime: &metav1.Time{Time: now.Add(-time.Hour)},
				InitContainerStatuses: []corev1.ContainerStatus{{Name: name, Ready: true}},
				ContainerStatuses:     []corev1.ContainerStatus{{Name: other, State: waiting("CrashLoopBackOff")}},
			},
		}
		one := describe(pod, &corev1.Namespace{}, now)
		if one.Container != name || one.NotReady != "" || len(one.PullSecrets) != 1 {
			t.Errorf("%s: %+v", name, one)
		}
		pod.Status.InitContainerStatuses[0].Ready = false
		if one := describe(pod, &corev1.Namespace{}, now); !strings.Contains(one.NotReady, "no valid certificate") {
			t.Errorf("%s, not ready: %+v", name, one)
		}
		for _, reason := range []string{"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "CreateContainerConfigError", "CrashLoopBackOff"} {
			pod.Status.InitContainerStatuses[0].State = waiting(reason)
			if one := describe(pod, &corev1.Namespace{}, now); one.NotReady != "container "+name+": "+reason {
				t.Errorf("%s, %s: %+v", name, reason, one)
			}
		}
		pod.Status.InitContainerStatuses[0].State, pod.Status.StartTime = waiting("PodInitializing"), nil
		if one := describe(pod, &corev1.Namespace{}, now); one.NotReady != "" {
			t.Errorf("%s, while it starts: %+v", name, one)
		}
	}
}

func waiting(reason string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}
}

func TestAnAnswerIsOneLineOfText(t *testing.T) {
	tests := map[string]string{
		`Error creating: pods "web-1" is forbidden: no`:                               `pods "web-1" is forbidden: no`,
		`create Pod web-0 in StatefulSet web failed error: pods "web-0" is forbidden`: `pods "web-0" is forbidden`,
		"admission webhook \"a\" denied the request: \x1b[31m1.\n2.\u202e":            `admission webhook "a" denied the request: [31m1. 2.`,
		strings.Repeat("é", maxRefusal):                                               strings.Repeat("é", maxRefusal/2) + " …",
		"":                                                                            "",
	}
	for message, want := range tests {
		if got := refusal(message); got != want {
			t.Errorf("%q: %q", message, got)
		}
	}
}
