package cluster

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The pause before a container is started again doubles from first to last: short, because tests wait for it.
const (
	firstBackOff = 100 * time.Millisecond
	lastBackOff  = 5 * time.Second
)

// container is a container of a pod: a process, or the look of one.
type container struct {
	pod     *podLife
	spec    *corev1.Container
	binary  string // empty: it only looks as if it ran
	policy  corev1.RestartPolicy
	sidecar bool // an init container that goes on beside the others
	brief   bool // one that only looks as if it ran has succeeded at once

	mu      sync.Mutex
	status  corev1.ContainerStatus
	process *process
}

func newContainer(p *podLife, spec *corev1.Container) *container {
	owner := metav1.GetControllerOf(p.pod)
	return &container{
		pod: p, spec: spec, binary: p.node.images[repository(spec.Image)],
		policy: p.pod.Spec.RestartPolicy, brief: owner != nil && owner.Kind == "Job",
		status: corev1.ContainerStatus{
			Name: spec.Name, Image: spec.Image, Started: new(false),
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}},
		},
	}
}

func newInitContainer(p *podLife, spec *corev1.Container) *container {
	c := newContainer(p, spec)
	c.sidecar = spec.RestartPolicy != nil && *spec.RestartPolicy == corev1.ContainerRestartPolicyAlways
	c.brief = !c.sidecar
	switch {
	case c.sidecar:
		c.policy = corev1.RestartPolicyAlways
	case c.policy == corev1.RestartPolicyAlways:
		c.policy = corev1.RestartPolicyOnFailure
	}
	return c
}

// run runs the container, again and again if its policy wants it, and returns its last exit code.
func (c *container) run(ctx context.Context) int32 {
	pause := firstBackOff
	for {
		began := time.Now()
		exit := c.once(ctx)
		if c.policy != corev1.RestartPolicyAlways && (exit == 0 || c.policy == corev1.RestartPolicyNever) {
			return exit
		}
		if time.Since(began) > 2*lastBackOff {
			pause = firstBackOff
		}
		if ctx.Err() != nil {
			return exit
		}
		c.update(func(s *corev1.ContainerStatus) {
			s.LastTerminationState = s.State
			s.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
		})
		if !wait(ctx, pause) {
			return exit
		}
		pause = min(2*pause, lastBackOff)
		c.update(func(s *corev1.ContainerStatus) { s.RestartCount++ })
	}
}

// once runs the container until it ends, or ctx does, and returns its exit code.
func (c *container) once(ctx context.Context) int32 {
	began := metav1.Now()
	var exit corev1.ContainerStateTerminated
	if c.binary == "" {
		exit = c.pretend(ctx, began)
	} else {
		exit = c.execute(ctx, began)
	}
	exit.StartedAt, exit.FinishedAt = began, metav1.Now()
	c.update(func(s *corev1.ContainerStatus) {
		s.Ready, s.Started = false, new(false)
		s.State = corev1.ContainerState{Terminated: &exit}
	})
	return exit.ExitCode
}

func (c *container) pretend(ctx context.Context, began metav1.Time) corev1.ContainerStateTerminated {
	if !c.brief {
		c.started(began)
		c.ready(true)
		<-ctx.Done()
	}
	return corev1.ContainerStateTerminated{Reason: "Completed"}
}

func (c *container) started(began metav1.Time) {
	c.update(func(s *corev1.ContainerStatus) {
		s.Started = new(true)
		s.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: began}}
	})
}

func (c *container) ready(ready bool) {
	c.update(func(s *corev1.ContainerStatus) { s.Ready = ready })
}

func (c *container) update(change func(*corev1.ContainerStatus)) {
	c.mu.Lock()
	change(&c.status)
	c.mu.Unlock()
	c.pod.note()
}

func (c *container) snapshot() corev1.ContainerStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	return *c.status.DeepCopy()
}
