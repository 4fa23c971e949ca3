//go:build e2e

package e2e

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// completeJob runs a Job whose containers, that of the initialisation too, call
// the store before they do anything else and do not try again.
func (tr *trial) completeJob(ctx context.Context) error {
	get := app("calls", "get", storeURL, "URI="+buyerID)
	first := get
	first.Name = "calls-first"
	pod, err := tr.complete(ctx, "calls", corev1.PodSpec{InitContainers: []corev1.Container{first}, Containers: []corev1.Container{get}})
	if err != nil {
		return err
	}
	return checkInjected(pod)
}

// complete runs a Job of the buyer's, which must not fail, and returns its pod.
func (tr *trial) complete(ctx context.Context, name string, spec corev1.PodSpec) (*corev1.Pod, error) {
	const namespace = "bookbuyer"
	spec.RestartPolicy, spec.ServiceAccountName = corev1.RestartPolicyNever, "bookbuyer"
	_, err := tr.client.BatchV1().Jobs(namespace).Create(ctx, &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       batchv1.JobSpec{BackoffLimit: new(int32(0)), Template: corev1.PodTemplateSpec{Spec: spec}},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	if err := tr.kubectl(ctx, "wait", "job/"+name, "--for=condition=complete", "--timeout=1m", "-n", namespace); err != nil {
		return nil, err
	}
	pods, err := tr.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: batchv1.JobNameLabel + "=" + name})
	if err != nil {
		return nil, err
	}
	if len(pods.Items) != 1 {
		return nil, fmt.Errorf("job %s took %d pods", name, len(pods.Items))
	}
	return &pods.Items[0], nil
}
