package cluster_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/osm-edge/osm/test/testkit"
)

func TestARolloutRestartReplacesEveryProcess(t *testing.T) {
	t.Parallel()
	s := newSpace(t)
	s.deploy(t, 2, server())
	s.expose(t, 80, 8080)
	before := s.accounts(t, 2)
	_, err := s.client.AppsV1().Deployments(s.namespace).Patch(t.Context(), "server", types.StrategicMergePatchType,
		[]byte(`{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"now"}}}}}`), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.awaitRollout(t)
	testkit.Await(t, "the end of the old processes", func() error {
		for pod, a := range before {
			if syscall.Kill(a.PID, 0) == nil {
				return fmt.Errorf("process %d of pod %s runs", a.PID, pod)
			}
		}
		return nil
	})
	for pod := range s.accounts(t, 2) {
		if _, old := before[pod]; old {
			t.Errorf("pod %s still answers for the Service", pod)
		}
	}
}

func TestAProcessHasTheRightsOfItsServiceAccountAndItsContainersEnvironment(t *testing.T) {
	t.Parallel()
	s := newSpace(t)
	s.deploy(t, 1, server())
	s.expose(t, 80, 8080)
	for pod, a := range s.accounts(t, 1) {
		if want := "system:serviceaccount:" + s.namespace + ":default"; a.User != want {
			t.Errorf("the API server takes it for %q, want %q", a.User, want)
		}
		if !strings.Contains(a.Forbidden, "forbidden") {
			t.Errorf("listing Secrets: got %q, want it forbidden", a.Forbidden)
		}
		if want := s.namespace + " $(NAMESPACE) $(UNKNOWN)"; a.Expanded != want {
			t.Errorf("expanded to %q, want %q", a.Expanded, want)
		}
		if log, err := os.ReadFile(s.cluster.PodLog(s.namespace, pod)); err != nil || string(log) != "serving\n" {
			t.Errorf("the pod's log: %q and %v", log, err)
		}
	}
}

func TestAKilledProcessIsStartedAgainInItsPod(t *testing.T) {
	t.Parallel()
	s := newSpace(t)
	s.create(t, "server", corev1.PodSpec{Containers: []corev1.Container{server()}})
	s.awaitPod(t, "server", ready)
	if err := s.cluster.Signal(s.namespace, "server", syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	pod := s.awaitPod(t, "server", func(p *corev1.Pod) error {
		if c := p.Status.ContainerStatuses[0]; c.RestartCount != 1 {
			return fmt.Errorf("restarted %d times", c.RestartCount)
		}
		return ready(p)
	})
	if last := pod.Status.ContainerStatuses[0].LastTerminationState.Terminated; last == nil || last.ExitCode != 137 || last.Signal != 9 {
		t.Errorf("the last state is %+v, want one that SIGKILL ended", last)
	}
	if err := s.cluster.Signal(s.namespace, "none", syscall.SIGKILL); err == nil {
		t.Error("a signal to a pod that isn't there was sent")
	}
}

func TestADeletedPodIsGoneWhenItsProcessIs(t *testing.T) {
	t.Parallel()
	for sentence, program := range map[string]corev1.Container{
		"one that ends when asked":     server(),
		"one that has to be killed":    probed("deaf"),
		"one that can't even start":    {Name: "data", Image: "localhost/data"},
		"one that was never a process": {Name: "other", Image: "elsewhere/other:1"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			s := newSpace(t)
			s.create(t, "pod", corev1.PodSpec{Containers: []corev1.Container{program}, TerminationGracePeriodSeconds: new(int64(1))})
			s.awaitPod(t, "pod", func(p *corev1.Pod) error {
				return unless(program.Image == "localhost/data" || ready(p) == nil, "not ready")
			})
			if err := s.client.CoreV1().Pods(s.namespace).Delete(t.Context(), "pod", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			testkit.Await(t, "the end of the pod", func() error {
				_, err := s.client.CoreV1().Pods(s.namespace).Get(t.Context(), "pod", metav1.GetOptions{})
				return unless(apierrors.IsNotFound(err), "got error %v", err)
			})
			if err := s.cluster.Signal(s.namespace, "pod", 0); err == nil {
				t.Error("the pod's process is left")
			}
		})
	}
}

func TestAJobEndsAsItsProcessDoes(t *testing.T) {
	t.Parallel()
	for sentence, test := range map[string]struct {
		container corev1.Container
		want      batchv1.JobConditionType
	}{
		"a process that succeeds":            {program("exit"), batchv1.JobComplete},
		"a process that fails":               {program("exit", "--exit-code=3"), batchv1.JobFailed},
		"an image that runs as no process":   {corev1.Container{Name: "other", Image: "elsewhere/other"}, batchv1.JobComplete},
		"a process that can't be started":    {corev1.Container{Name: "data", Image: "localhost/data"}, batchv1.JobFailed},
		"an environment that can't be given": {withSecret(program("exit")), batchv1.JobFailed},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			s := newSpace(t)
			s.createJob(t, 0, test.container)
			testkit.Await(t, "the end of the job", func() error {
				job, err := s.client.BatchV1().Jobs(s.namespace).Get(t.Context(), "job", metav1.GetOptions{})
				if err != nil {
					return err
				}
				has := func(c batchv1.JobCondition) bool { return c.Type == test.want && c.Status == corev1.ConditionTrue }
				return unless(slices.ContainsFunc(job.Status.Conditions, has), "conditions %+v", job.Status.Conditions)
			})
		})
	}
}

func TestADeletedPodOfAJobHasFailed(t *testing.T) {
	t.Parallel()
	s := newSpace(t)
	s.createJob(t, 1, probed("deaf"))
	pods := s.client.CoreV1().Pods(s.namespace)
	var name string
	testkit.Await(t, "the job's pod", func() error {
		list, err := pods.List(t.Context(), metav1.ListOptions{})
		if err != nil || len(list.Items) != 1 {
			return fmt.Errorf("%d pods and %w", len(list.Items), err)
		}
		name = list.Items[0].Name
		return ready(&list.Items[0])
	})
	if err := pods.Delete(t.Context(), name, metav1.DeleteOptions{GracePeriodSeconds: new(int64(1))}); err != nil {
		t.Fatal(err)
	}
	testkit.Await(t, "the job to count its pod, and let it go", func() error {
		job, err := s.client.BatchV1().Jobs(s.namespace).Get(t.Context(), "job", metav1.GetOptions{})
		if err != nil || job.Status.Failed != 1 {
			return fmt.Errorf("%d failed and %w", job.Status.Failed, err)
		}
		_, err = pods.Get(t.Context(), name, metav1.GetOptions{})
		return unless(apierrors.IsNotFound(err), "got error %v", err)
	})
}

func withSecret(c corev1.Container) corev1.Container {
	c.Env = append(c.Env, corev1.EnvVar{Name: "SECRET", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}, Key: "k"}}})
	return c
}

func TestAnInjectedPodLooksAsIfItRan(t *testing.T) {
	t.Parallel()
	s := newSpace(t)
	s.create(t, "pod", corev1.PodSpec{
		InitContainers: []corev1.Container{
			{Name: "init", Image: "elsewhere/init"},
			{Name: "sidecar", Image: "elsewhere/sidecar", RestartPolicy: new(corev1.ContainerRestartPolicyAlways)},
		},
		Containers: []corev1.Container{{Name: "app", Image: "elsewhere/app"}},
	})
	pod := s.awaitPod(t, "pod", ready)
	if got := pod.Status.Phase; got != corev1.PodRunning {
		t.Errorf("phase %s", got)
	}
	init, sidecar := pod.Status.InitContainerStatuses[0], pod.Status.InitContainerStatuses[1]
	if init.State.Terminated == nil || init.State.Terminated.ExitCode != 0 {
		t.Errorf("init container: %+v, want it terminated", init.State)
	}
	if sidecar.State.Running == nil || !sidecar.Ready || !*sidecar.Started {
		t.Errorf("sidecar: %+v, want it running, started and ready", sidecar)
	}
}

func TestATokenOfAPodIsBoundToIt(t *testing.T) {
	t.Parallel()
	s := newSpace(t)
	pod := s.create(t, "pod", corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "elsewhere/app"}}})
	token, err := s.cluster.PodToken(t.Context(), s.namespace, "pod", "elsewhere", 3600e9)
	if err != nil {
		t.Fatal(err)
	}
	claims := decodeClaims(t, token)
	if claims.Subject != "system:serviceaccount:"+s.namespace+":default" || !slices.Equal(claims.Audience, []string{"elsewhere"}) {
		t.Errorf("the token is of %q for %q", claims.Subject, claims.Audience)
	}
	if claims.Kubernetes.Pod.UID != string(pod.UID) || claims.Issuer != "https://kubernetes.default.svc.cluster.local" {
		t.Errorf("the token is bound to %q by %q", claims.Kubernetes.Pod.UID, claims.Issuer)
	}
}
