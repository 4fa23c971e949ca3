package cluster

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// hostIP is the node's address.
const hostIP = "127.0.0.1"

// status is the pod's status as a kubelet would write it.
func (p *podLife) status(now metav1.Time) corev1.PodStatus {
	inits, containers := statuses(p.inits), statuses(p.containers)
	s := corev1.PodStatus{
		ObservedGeneration:    p.current.Generation,
		Phase:                 phase(inits, containers, p.finished),
		HostIP:                hostIP,
		HostIPs:               []corev1.HostIP{{IP: hostIP}},
		PodIP:                 p.address.String(),
		PodIPs:                []corev1.PodIP{{IP: p.address.String()}},
		StartTime:             p.sent.StartTime,
		InitContainerStatuses: inits,
		ContainerStatuses:     containers,
	}
	if s.StartTime == nil {
		s.StartTime = &now
	}
	ready := allReady(containers) && allReady(sidecars(inits, p.inits))
	s.Conditions = transition(p.sent.Conditions, now, map[corev1.PodConditionType]bool{
		corev1.PodInitialized:  initialized(inits),
		corev1.ContainersReady: ready,
		corev1.PodReady:        ready,
	})
	return s
}

func statuses(containers []*container) []corev1.ContainerStatus {
	var all []corev1.ContainerStatus
	for _, c := range containers {
		all = append(all, c.snapshot())
	}
	return all
}

func sidecars(statuses []corev1.ContainerStatus, containers []*container) []corev1.ContainerStatus {
	var found []corev1.ContainerStatus
	for i, c := range containers {
		if c.sidecar {
			found = append(found, statuses[i])
		}
	}
	return found
}

// phase is Pending until every container has run once, and final once none will run again.
func phase(inits, containers []corev1.ContainerStatus, finished bool) corev1.PodPhase {
	if finished {
		for _, s := range containers {
			if s.State.Terminated == nil || s.State.Terminated.ExitCode != 0 {
				return corev1.PodFailed
			}
		}
		return corev1.PodSucceeded
	}
	if !initialized(inits) {
		return corev1.PodPending
	}
	for _, s := range containers {
		if s.State.Waiting != nil && s.LastTerminationState.Terminated == nil {
			return corev1.PodPending
		}
	}
	return corev1.PodRunning
}

// initialized says whether each init container has succeeded or, as a sidecar, started.
func initialized(inits []corev1.ContainerStatus) bool {
	for _, s := range inits {
		succeeded := s.State.Terminated != nil && s.State.Terminated.ExitCode == 0
		if !succeeded && !*s.Started {
			return false
		}
	}
	return true
}

func allReady(statuses []corev1.ContainerStatus) bool {
	for _, s := range statuses {
		if !s.Ready {
			return false
		}
	}
	return true
}

// transition gives each condition the time of its last change.
func transition(before []corev1.PodCondition, now metav1.Time, want map[corev1.PodConditionType]bool) []corev1.PodCondition {
	var after []corev1.PodCondition
	for _, kind := range []corev1.PodConditionType{corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady} {
		c := corev1.PodCondition{Type: kind, Status: corev1.ConditionFalse, LastTransitionTime: now}
		if want[kind] {
			c.Status = corev1.ConditionTrue
		}
		for _, old := range before {
			if old.Type == kind && old.Status == c.Status {
				c.LastTransitionTime = old.LastTransitionTime
			}
		}
		after = append(after, c)
	}
	return after
}
