package mesh

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
)

// Deploy creates a service account and a Deployment of one pod that uses it,
// both of the given name, and returns the pod once it is ready.
func Deploy(ctx context.Context, client kubernetes.Interface, namespace, name string, container corev1.Container) (*corev1.Pod, error) {
	container.Name = name
	template := corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{container}}}
	if err := Create(ctx, client, namespace, name, template); err != nil {
		return nil, err
	}
	if err := WaitRollout(ctx, client, namespace, name); err != nil {
		return nil, err
	}
	return Pod(ctx, client, namespace, name)
}

// Create creates a service account and a Deployment of one such pod that uses
// it, both of the given name.
func Create(ctx context.Context, client kubernetes.Interface, namespace, name string, template corev1.PodTemplateSpec) error {
	meta := metav1.ObjectMeta{Namespace: namespace, Name: name}
	_, err := client.CoreV1().ServiceAccounts(namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: meta}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	app := map[string]string{"app": name}
	template.Labels, template.Spec.ServiceAccountName = app, name
	_, err = client.AppsV1().Deployments(namespace).Create(ctx, &appsv1.Deployment{
		ObjectMeta: meta,
		Spec:       appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: app}, Template: template},
	}, metav1.CreateOptions{})
	return err
}

// Pod returns the one pod of a Deployment, once there is just one, with an address.
func Pod(ctx context.Context, client kubernetes.Interface, namespace, deployment string) (*corev1.Pod, error) {
	var pod *corev1.Pod
	err := wait.PollUntilContextCancel(ctx, poll, true, func(ctx context.Context) (bool, error) {
		options := metav1.ListOptions{LabelSelector: labels.SelectorFromSet(labels.Set{"app": deployment}).String()}
		pods, err := client.CoreV1().Pods(namespace).List(ctx, options)
		if err != nil || len(pods.Items) != 1 || pods.Items[0].Status.PodIP == "" {
			return false, err
		}
		pod = &pods.Items[0]
		return true, nil
	})
	if err != nil {
		return nil, fmt.Errorf("find the pod of deployment %s/%s: %w", namespace, deployment, err)
	}
	return pod, nil
}
