package cluster_test

import (
	"context"
	"os"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/test/cluster"
	"github.com/osm-edge/osm/test/testkit"
)

// space is a namespace of the test's own.
type space struct {
	cluster   *cluster.Cluster
	client    kubernetes.Interface
	namespace string
}

func newSpace(t *testing.T) space {
	t.Helper()
	used.Store(true)
	c, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	namespace, err := client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s := space{c, client, namespace.Name}
	testkit.Await(t, "the namespace's service account", func() error {
		_, err := client.CoreV1().ServiceAccounts(s.namespace).Get(t.Context(), "default", metav1.GetOptions{})
		return err
	})
	t.Cleanup(func() {
		if t.Failed() {
			s.tellState(t)
		}
	})
	return s
}

// tellState logs what explains a failure.
func (s space) tellState(t *testing.T) {
	pods, err := s.client.CoreV1().Pods(s.namespace).List(context.Background(), metav1.ListOptions{})
	if err != nil {
		t.Log(err)
		return
	}
	for _, pod := range pods.Items {
		log, _ := os.ReadFile(s.cluster.PodLog(s.namespace, pod.Name)) // pods without processes have none
		t.Logf("pod %s: %s %+v\n%s", pod.Name, pod.Status.Phase, pod.Status.ContainerStatuses, log)
	}
}

func ready(p *corev1.Pod) error {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return unless(c.Status == corev1.ConditionTrue, "not ready")
		}
	}
	return errNotYet
}

func (s space) create(t *testing.T, name string, spec corev1.PodSpec) *corev1.Pod {
	t.Helper()
	pod, err := s.client.CoreV1().Pods(s.namespace).Create(t.Context(),
		&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: app}, Spec: spec}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return pod
}

func (s space) awaitPod(t *testing.T, name string, is func(*corev1.Pod) error) (pod *corev1.Pod) {
	t.Helper()
	testkit.Await(t, "pod "+name, func() (err error) {
		if pod, err = s.client.CoreV1().Pods(s.namespace).Get(t.Context(), name, metav1.GetOptions{}); err != nil {
			return err
		}
		return is(pod)
	})
	return pod
}

func (s space) createJob(t *testing.T, retries int32, container corev1.Container) {
	t.Helper()
	_, err := s.client.BatchV1().Jobs(s.namespace).Create(t.Context(), &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "job"},
		Spec: batchv1.JobSpec{
			BackoffLimit: &retries,
			Template:     corev1.PodTemplateSpec{Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{container}}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func (s space) deploy(t *testing.T, replicas int32, container corev1.Container) {
	t.Helper()
	_, err := s.client.AppsV1().Deployments(s.namespace).Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "server"},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: app},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: app}, Spec: corev1.PodSpec{Containers: []corev1.Container{container}}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.awaitRollout(t)
}

func (s space) awaitRollout(t *testing.T) {
	t.Helper()
	testkit.Await(t, "the rollout", func() error {
		d, err := s.client.AppsV1().Deployments(s.namespace).Get(t.Context(), "server", metav1.GetOptions{})
		if err != nil {
			return err
		}
		n := *d.Spec.Replicas
		return unless(d.Status.ObservedGeneration == d.Generation && d.Status.UpdatedReplicas == n && d.Status.Replicas == n && d.Status.AvailableReplicas == n,
			"status %+v", d.Status)
	})
}

func (s space) expose(t *testing.T, port, target int32) *corev1.Service {
	t.Helper()
	service, err := s.client.CoreV1().Services(s.namespace).Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "server"},
		Spec:       corev1.ServiceSpec{Selector: app, Ports: []corev1.ServicePort{{Port: port, TargetPort: intstr.FromInt32(target)}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return service
}
