package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/kube"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/cli-runtime/pkg/resource"
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

// replicasAnnotation is what the chart's values say of the replicas of a
// Deployment. Where it does not change, the chart leaves their number alone.
const replicasAnnotation = "openservicemesh.io/replicas"

// scaledClient is Helm's client, but that replicas are left to those who scale
// them where the chart cannot: those of a release that the annotation is not of,
// and those of one that is gone back to.
type scaledClient struct {
	*kube.Client
	before    map[string]int64 // the replicas of the Deployments as the upgrade began
	goingBack bool
}

// Update applies the targets, with the replicas that are to stay.
func (c *scaledClient) Update(originals, targets kube.ResourceList, options ...kube.ClientUpdateOption) (*kube.Result, error) {
	before := map[string]int64{}
	for _, target := range targets {
		live, err := scaled(target)
		if err != nil {
			return &kube.Result{}, err
		}
		if live == nil {
			continue
		}
		is, _ := replicasOf(live)
		before[target.Name] = is
		if !c.goingBack {
			keepReplicas(live, originals.Get(target), target)
			continue
		}
		if was, known := c.before[target.Name]; known {
			is = was
		}
		setReplicas(target, is)
	}
	c.before = before
	return c.Client.Update(originals, targets, options...)
}

// scaled returns the live form of a Deployment, and nil of anything else.
func scaled(info *resource.Info) (*unstructured.Unstructured, error) {
	if info.Mapping.GroupVersionKind.GroupKind().String() != "Deployment.apps" {
		return nil, nil
	}
	return liveForm(info)
}

// liveForm reads the object as it is in the cluster, nil if it is not there.
func liveForm(info *resource.Info) (*unstructured.Unstructured, error) {
	found, err := resource.NewHelper(info.Client, info.Mapping).Get(info.Namespace, info.Name)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", naming(info), err)
	}
	return found.(*unstructured.Unstructured), nil
}

// keepReplicas has a target keep the replicas that there are if the release has
// not changed them, and the client that scaled them did.
func keepReplicas(live *unstructured.Unstructured, original, target *resource.Info) {
	if original == nil || live.GetAnnotations()[replicasAnnotation] != "" {
		return
	}
	was, has := replicasOf(object(original))
	wanted, has2 := replicasOf(object(target))
	if is, _ := replicasOf(live); has && has2 && was == wanted && is != wanted {
		setReplicas(target, is)
	}
}

func object(info *resource.Info) *unstructured.Unstructured {
	return info.Object.(*unstructured.Unstructured)
}

func replicasOf(deployment *unstructured.Unstructured) (int64, bool) {
	n, has, err := unstructured.NestedInt64(deployment.Object, "spec", "replicas")
	return n, has && err == nil
}

func setReplicas(info *resource.Info, n int64) {
	// It fails only where spec is no object, which the API server will say.
	_ = unstructured.SetNestedField(object(info).Object, n, "spec", "replicas")
}
