//go:build e2e

package e2e

import (
	"context"

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
	job, err := tr.client.BatchV1().Jobs("bookbuyer").Create(ctx, &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "calls"},
		Spec: batchv1.JobSpec{
			BackoffLimit: new(int32(0)),
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				RestartPolicy:      corev1.RestartPolicyNever,
				ServiceAccountName: "bookbuyer",
				InitContainers:     []corev1.Container{first},
				Containers:         []corev1.Container{get},
			}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if err := tr.kubectl(ctx, "wait", "job/"+job.Name, "--for=condition=complete", "--timeout=1m", "-n", job.Namespace); err != nil {
		return err
	}
	pods, err := tr.client.CoreV1().Pods(job.Namespace).List(ctx, metav1.ListOptions{LabelSelector: batchv1.JobNameLabel + "=" + job.Name})
	if err != nil {
		return err
	}
	return checkInjected(&pods.Items[0])
}
