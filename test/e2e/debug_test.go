//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// debug has kubectl copy the buyer's pod, and put a container into it. Both call
// the store as the buyer.
func (tr *trial) debug(ctx context.Context) error {
	common := []string{"debug", "pod/" + tr.buyer.Name, "-n", tr.buyer.Namespace, "-c", "debugger", "--image=" + imageOf("app"), "--image-pull-policy=Never"}
	call := []string{"--", "/app", "get", storeURL, "URI=" + buyerID}
	for _, args := range [][]string{slices.Concat(common, []string{"--copy-to=copy"}, call), slices.Concat(common, call)} {
		if err := tr.kubectl(ctx, args...); err != nil {
			return err
		}
	}
	copied, err := tr.awaitDebugger(ctx, "copy", func(s corev1.PodStatus) []corev1.ContainerStatus { return s.ContainerStatuses })
	if err != nil {
		return err
	}
	if _, err := tr.awaitDebugger(ctx, tr.buyer.Name, func(s corev1.PodStatus) []corev1.ContainerStatus { return s.EphemeralContainerStatuses }); err != nil {
		return err
	}
	proxy := copied.Labels["osm-proxy-uuid"]
	if proxy == "" || proxy == tr.buyer.Labels["osm-proxy-uuid"] {
		return fmt.Errorf("the copy's proxy is %q", proxy)
	}
	if n := len(tr.buyer.Spec.InitContainers); len(copied.Spec.InitContainers) != n {
		return fmt.Errorf("the copy has %d init containers, not %d", len(copied.Spec.InitContainers), n)
	}
	return errors.Join(checkInjected(copied), tr.checkUntouched(ctx, tr.buyer),
		tr.client.CoreV1().Pods(copied.Namespace).Delete(ctx, copied.Name, metav1.DeleteOptions{}))
}

// awaitDebugger waits until the container has called, and returns its pod.
func (tr *trial) awaitDebugger(ctx context.Context, name string, statuses func(corev1.PodStatus) []corev1.ContainerStatus) (pod *corev1.Pod, err error) {
	err = await(ctx, func(ctx context.Context) error {
		pod, err = tr.client.CoreV1().Pods(tr.buyer.Namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, s := range statuses(pod.Status) {
			for _, state := range []corev1.ContainerState{s.State, s.LastTerminationState} { // it is started again in a copy
				if s.Name == "debugger" && state.Terminated != nil && state.Terminated.ExitCode == 0 {
					return nil
				}
			}
		}
		return fmt.Errorf("the debugger of pod %s has not called: %v", name, statuses(pod.Status))
	})
	return pod, err
}
