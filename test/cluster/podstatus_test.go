package cluster

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestThePhaseOfAPodFollowsFromItsContainers(t *testing.T) {
	ended := func(code int32) corev1.ContainerState {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code}}
	}
	status := func(started bool, state corev1.ContainerState) corev1.ContainerStatus {
		return corev1.ContainerStatus{Started: &started, State: state}
	}
	running := status(true, corev1.ContainerState{Running: &corev1.ContainerStateRunning{}})
	waiting := status(false, corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}})
	crashed := waiting
	crashed.LastTerminationState = ended(1)
	type list = []corev1.ContainerStatus
	for sentence, test := range map[string]struct {
		inits, containers list
		finished          bool
		want              corev1.PodPhase
	}{
		"nothing has started":             {nil, list{waiting}, false, corev1.PodPending},
		"one of two has started":          {nil, list{running, waiting}, false, corev1.PodPending},
		"an init container runs":          {list{status(false, ended(1))}, list{waiting}, false, corev1.PodPending},
		"a sidecar runs":                  {list{running}, list{running}, false, corev1.PodRunning},
		"one waits to be started again":   {nil, list{running, crashed}, false, corev1.PodRunning},
		"one has ended, another runs":     {nil, list{running, status(false, ended(0))}, false, corev1.PodRunning},
		"all have ended, one starts anew": {nil, list{status(false, ended(0))}, false, corev1.PodRunning},
		"all have succeeded":              {nil, list{status(false, ended(0))}, true, corev1.PodSucceeded},
		"one has failed":                  {nil, list{status(false, ended(0)), status(false, ended(2))}, true, corev1.PodFailed},
		"an init container has failed":    {list{status(false, ended(1))}, list{waiting}, true, corev1.PodFailed},
	} {
		if got := phase(test.inits, test.containers, test.finished); got != test.want {
			t.Errorf("%s: phase %s, want %s", sentence, got, test.want)
		}
	}
}

func TestAConditionKeepsTheTimeOfItsLastChange(t *testing.T) {
	first, second := metav1.Unix(1, 0), metav1.Unix(2, 0)
	before := transition(nil, first, map[corev1.PodConditionType]bool{corev1.PodInitialized: true})
	after := transition(before, second, map[corev1.PodConditionType]bool{corev1.PodInitialized: true, corev1.PodReady: true})
	want := map[corev1.PodConditionType]time.Time{
		corev1.PodInitialized: first.Time, corev1.ContainersReady: first.Time, corev1.PodReady: second.Time,
	}
	for _, c := range after {
		if !c.LastTransitionTime.Time.Equal(want[c.Type]) {
			t.Errorf("%s changed last at %s, want %s", c.Type, c.LastTransitionTime, want[c.Type])
		}
	}
}
