package cluster

import (
	"context"
	"os"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// execute runs the container's process until it ends or, asked to when ctx ends, has to.
func (c *container) execute(ctx context.Context, began metav1.Time) corev1.ContainerStateTerminated {
	p, err := c.launch(ctx)
	if err != nil {
		return corev1.ContainerStateTerminated{ExitCode: 128, Reason: "StartError", Message: err.Error()}
	}
	c.started(began)
	probing, endProbing := context.WithCancel(ctx)
	var prober sync.WaitGroup
	prober.Go(func() { c.probe(probing) })
	select {
	case <-p.done:
	case <-ctx.Done():
		p.stop(time.Duration(c.pod.grace.Load()))
	}
	endProbing()
	prober.Wait()
	return terminated(p.state())
}

func (c *container) launch(ctx context.Context) (*process, error) {
	command, err := c.command(ctx)
	if err != nil {
		return nil, err
	}
	p, err := c.pod.node.launcher.start(command)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.process = p
	return p, nil
}

// terminated has the exit code that a shell and a container runtime give a process that a signal ended.
func terminated(state *os.ProcessState) corev1.ContainerStateTerminated {
	t := corev1.ContainerStateTerminated{ExitCode: int32(state.ExitCode()), Reason: "Completed"}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		t.Signal = int32(status.Signal())
		t.ExitCode = 128 + t.Signal
	}
	if t.ExitCode != 0 {
		t.Reason, t.Message = "Error", state.String()
	}
	return t
}

func (c *container) signal(s syscall.Signal) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process == nil {
		return os.ErrProcessDone
	}
	return c.process.signal(s)
}
