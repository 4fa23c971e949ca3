package integration

import (
	"context"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/test/testkit"
)

// testWorkloads has the controllers of Kubernetes create pods of the mesh.
func testWorkloads(t *testing.T, client kubernetes.Interface) {
	labels := map[string]string{"app": "app"}
	selector := &metav1.LabelSelector{MatchLabels: labels}
	template := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "example/app:1"}}},
	}
	meta := metav1.ObjectMeta{Name: "app"}
	tests := map[string]func(context.Context, string) error{
		"Deployment": func(ctx context.Context, namespace string) error {
			_, err := client.AppsV1().Deployments(namespace).Create(ctx, &appsv1.Deployment{
				ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Replicas: new(int32(2)), Selector: selector, Template: template},
			}, metav1.CreateOptions{})
			return err
		},
		"StatefulSet": func(ctx context.Context, namespace string) error {
			_, err := client.AppsV1().StatefulSets(namespace).Create(ctx, &appsv1.StatefulSet{
				ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Replicas: new(int32(2)), ServiceName: "app", Selector: selector, Template: template},
			}, metav1.CreateOptions{})
			return err
		},
		"Job": func(ctx context.Context, namespace string) error {
			once := *template.DeepCopy()
			once.Spec.RestartPolicy = corev1.RestartPolicyNever
			_, err := client.BatchV1().Jobs(namespace).Create(ctx, &batchv1.Job{
				ObjectMeta: meta, Spec: batchv1.JobSpec{Parallelism: new(int32(2)), Completions: new(int32(2)), Template: once},
			}, metav1.CreateOptions{})
			return err
		},
	}
	for kind, create := range tests {
		t.Run(kind, func(t *testing.T) {
			namespace := createNamespace(t, client, map[string]string{monitored: "osm"}, "")
			if err := create(t.Context(), namespace); err != nil {
				t.Fatal(err)
			}
			var pods []corev1.Pod
			testkit.Condition(t, "two pods", func(ctx context.Context) (bool, error) {
				list, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=app"})
				if err != nil {
					return false, err
				}
				pods = list.Items
				return len(pods) == 2, nil
			})
			proxies := map[string]bool{}
			for _, pod := range pods {
				if !hasSidecar(&pod) || len(pod.OwnerReferences) != 1 {
					t.Errorf("pod %s has no sidecar, or another owner", pod.Name)
				}
				proxies[pod.Labels[injector.ProxyLabel]] = true
			}
			if len(proxies) != 2 || proxies[""] {
				t.Errorf("the pods' proxies are %v", proxies)
			}
		})
	}
}
