package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
)

// components are the Deployments of a mesh, in the order in which they get ready.
var components = [...]string{bootstrapName, injectorName, controllerName}

const bootstrapName = "osm-bootstrap"

// rollout waits for the Deployments of a mesh, and tells how it goes.
type rollout struct {
	client    kubernetes.Interface
	namespace string
	out       *terminal
}

// await returns when all pods of all components are of their present form, and
// ready. The error says of each that is not what it waits for.
func (r *rollout) await(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	began, left := time.Now(), slices.Clone(components[:])
	err := wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		for _, name := range slices.Clone(left) {
			d, err := r.client.AppsV1().Deployments(r.namespace).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				r.out.moment("%s: %s", name, err)
				break // the API server may be back in time
			}
			if !rolledOut(d) {
				r.out.moment("%s: %d of %d ready, for %s", name, d.Status.ReadyReplicas, *d.Spec.Replicas, time.Since(began).Round(time.Second))
				break
			}
			if *d.Spec.Replicas == 0 {
				r.out.say(beware, "%s has no replicas, and does nothing\n    to change it: kubectl scale deployment %[1]s -n %[2]s --replicas=1", name, r.namespace)
				left = slices.DeleteFunc(left, func(n string) bool { return n == name })
				continue
			}
			r.out.say(done, "%s is ready: %d of %d, after %s", name, d.Status.ReadyReplicas, *d.Spec.Replicas, seconds(time.Since(began)))
			left = slices.DeleteFunc(left, func(n string) bool { return n == name })
		}
		return len(left) == 0, nil
	})
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	explaining, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	var reasons []string
	for _, name := range left {
		d, err := r.client.AppsV1().Deployments(r.namespace).Get(explaining, name, metav1.GetOptions{})
		if err == nil && rolledOut(d) {
			continue // it comes after one that is not
		}
		reasons = append(reasons, fmt.Sprintf("%s is not ready: %s", name, r.explain(explaining, name)))
	}
	return fmt.Errorf("not ready after %s:\n  %s", timeout, strings.Join(reasons, "\n  "))
}

func rolledOut(d *appsv1.Deployment) bool {
	return d.DeletionTimestamp == nil && d.Status.ObservedGeneration >= d.Generation && d.Status.UpdatedReplicas == *d.Spec.Replicas &&
		d.Status.Replicas == *d.Spec.Replicas && d.Status.AvailableReplicas == *d.Spec.Replicas
}

// explain says what keeps a Deployment's pods from being ready.
func (r *rollout) explain(ctx context.Context, name string) string {
	pods, err := r.client.CoreV1().Pods(r.namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=" + name})
	if err != nil {
		return err.Error()
	}
	for _, pod := range pods.Items {
		if reason := r.unready(ctx, &pod); reason != "" {
			return "pod " + pod.Name + ": " + reason
		}
	}
	if len(pods.Items) == 0 {
		return r.lastWarning(ctx, name, "it has no pods")
	}
	return "its rollout has not come to an end"
}

func (r *rollout) unready(ctx context.Context, pod *corev1.Pod) string {
	for _, c := range pod.Status.ContainerStatuses {
		if w := c.State.Waiting; w != nil && w.Reason != "" && w.Reason != "ContainerCreating" {
			return sentence(w.Reason, w.Message)
		}
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return sentence("it is not scheduled", c.Message)
		}
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status != corev1.ConditionTrue {
			return r.lastWarning(ctx, pod.Name, sentence("it is not ready", c.Message))
		}
	}
	return ""
}

// lastWarning returns the newest of the Events about an object, or of one that
// it made.
func (r *rollout) lastWarning(ctx context.Context, name, otherwise string) string {
	events, err := r.client.CoreV1().Events(r.namespace).List(ctx, metav1.ListOptions{FieldSelector: "type=" + corev1.EventTypeWarning})
	if err != nil {
		return otherwise
	}
	var newest *corev1.Event
	for i, e := range events.Items {
		if strings.HasPrefix(e.InvolvedObject.Name, name) && (newest == nil || e.LastTimestamp.After(newest.LastTimestamp.Time)) {
			newest = &events.Items[i]
		}
	}
	if newest == nil {
		return otherwise
	}
	return sentence(newest.Reason, newest.Message)
}

func sentence(what, why string) string {
	if why == "" {
		return what
	}
	return what + ": " + why
}
