//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/test/mesh"
)

// order asks the test's port of the container, which is excluded from interception.
func (tr *trial) order(ctx context.Context, p probed, path string) (string, error) {
	status, body, err := tr.get(ctx, fmt.Sprintf("http://%s%s", addressOf(tr.probed, int(p.port(0))), path))
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("container %s says %d %q", p.name, status, body)
	}
	return body, err
}

// tell tells containers how they are.
func (tr *trial) tell(ctx context.Context, containers []probed, aspect string, good bool) error {
	for _, p := range containers {
		err := await(ctx, func(ctx context.Context) error {
			_, err := tr.order(ctx, p, fmt.Sprintf("/?aspect=%s&good=%t", aspect, good))
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// awaitStatus waits until the kubelet says so of each of the containers.
func (tr *trial) awaitStatus(ctx context.Context, containers []probed, what string, is func(corev1.ContainerStatus) bool) error {
	return await(ctx, func(ctx context.Context) error {
		pod, err := tr.client.CoreV1().Pods(tr.probed.Namespace).Get(ctx, tr.probed.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		statuses := map[string]corev1.ContainerStatus{}
		for _, s := range pod.Status.ContainerStatuses {
			statuses[s.Name] = s
		}
		var problems []error
		for _, p := range containers {
			if s := statuses[p.name]; !is(s) {
				problems = append(problems, fmt.Errorf("container %s is not %s: %+v", p.name, what, s))
			}
		}
		return errors.Join(problems...)
	})
}

// unstarted is a container that has run for several startup probes.
func unstarted(s corev1.ContainerStatus) bool {
	return s.State.Running != nil && time.Since(s.State.Running.StartedAt.Time) > 4*time.Second && s.Started != nil && !*s.Started
}

func ready(s corev1.ContainerStatus) bool    { return s.Ready }
func notReady(s corev1.ContainerStatus) bool { return s.State.Running != nil && !s.Ready }

// startProbed starts the containers, which wait until they are told that they
// have started.
func (tr *trial) startProbed(ctx context.Context) (err error) {
	template := corev1.PodTemplateSpec{}
	var ports []string
	for _, p := range allProbed {
		template.Spec.Containers = append(template.Spec.Containers, p.container())
		ports = append(ports, strconv.Itoa(int(p.port(0))))
	}
	template.Annotations = map[string]string{prefix + "inbound-port-exclusion-list": strings.Join(ports, ",")}
	if err := mesh.Create(ctx, tr.client, "bookstore", "probed", template); err != nil {
		return err
	}
	if tr.probed, err = mesh.Pod(ctx, tr.client, "bookstore", "probed"); err != nil {
		return err
	}
	if err := tr.awaitStatus(ctx, allProbed, "waiting to have started", unstarted); err != nil {
		return err
	}
	if err := tr.tell(ctx, allProbed, "startup", true); err != nil {
		return err
	}
	if err := tr.awaitStatus(ctx, allProbed, "ready", ready); err != nil {
		return err
	}
	if heard, err := tr.order(ctx, first, "/hooks"); err != nil || !strings.Contains(heard, "postStart-hook") {
		return errors.Join(err, fmt.Errorf("the hook after the start was not heard, but %q", heard))
	}
	return nil
}

func (tr *trial) failReadiness(ctx context.Context) error {
	for _, step := range []struct {
		good bool
		what string
		is   func(corev1.ContainerStatus) bool
	}{{false, "unready", notReady}, {true, "ready again", ready}} {
		if err := tr.tell(ctx, allProbed, "readiness", step.good); err != nil {
			return err
		}
		if err := tr.awaitStatus(ctx, allProbed, step.what, step.is); err != nil {
			return err
		}
	}
	return nil
}

// failLiveness fails the last container after the others, whose first has to
// hear that the last has started again.
func (tr *trial) failLiveness(ctx context.Context) error {
	for _, containers := range [][]probed{allButLast, {last}} {
		if err := tr.tell(ctx, containers, "liveness", false); err != nil {
			return err
		}
		restarted := func(s corev1.ContainerStatus) bool {
			return s.State.Running != nil && s.LastTerminationState.Terminated != nil
		}
		if err := tr.awaitStatus(ctx, containers, "running again", restarted); err != nil {
			return err
		}
		if err := tr.tell(ctx, containers, "startup", true); err != nil {
			return err
		}
		if err := tr.awaitStatus(ctx, containers, "ready again", ready); err != nil {
			return err
		}
	}
	return tr.awaitStatus(ctx, []probed{last}, "told before it ended", func(s corev1.ContainerStatus) bool {
		return s.LastTerminationState.Terminated != nil && s.LastTerminationState.Terminated.Message == "preStop-hook"
	})
}
