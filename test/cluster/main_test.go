package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/test/cluster"
)

// shared is the cluster of all tests here. They keep apart by namespaces.
var shared = sync.OnceValues(func() (*cluster.Cluster, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return cluster.Start(context.Background(), cluster.Options{
		Images: map[string]string{"localhost/program": self, "localhost/data": os.DevNull},
		Log:    os.Stderr,
	})
})

// used says whether shared was called, which to ask would be to start it.
var used atomic.Bool

func TestMain(m *testing.M) {
	if name := os.Getenv(programVariable); name != "" {
		if err := runProgram(name, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	if used.Load() {
		if c, err := shared(); err == nil {
			if err := c.Stop(); err != nil {
				fmt.Fprintln(os.Stderr, "stopping the cluster:", err)
				code = 1
			}
		}
	}
	os.Exit(code)
}

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
	await(t, "the namespace's service account", func() error {
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

// await returns when ready returns nil, and fails the test when that takes too long.
func await(t *testing.T, what string, ready func() error) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		err := ready()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("waiting for %s: %v", what, err)
		case <-retry.C:
		}
	}
}

// unless is an error that says what is not so yet.
func unless(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}

var errNotYet = errors.New("not yet")
