package cluster_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/osm-edge/osm/test/testkit"
)

func TestNoProcessOutlivesTheOneThatStartedTheCluster(t *testing.T) {
	for sentence, end := range map[string]func(*exec.Cmd, io.Closer) error{
		"which stops it":    func(_ *exec.Cmd, stdin io.Closer) error { return stdin.Close() },
		"which is killed":   func(c *exec.Cmd, _ io.Closer) error { return c.Process.Signal(syscall.SIGKILL) },
		"which gets Ctrl-C": func(c *exec.Cmd, _ io.Closer) error { return c.Process.Signal(syscall.SIGINT) },
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			parent, stdin, kubeconfig := startParent(t)
			runServer(t, kubeconfig)
			dir := filepath.Dir(filepath.Dir(kubeconfig))
			if family := processesOf(t, dir); len(family) != 5 {
				t.Fatalf("processes %q, want the four of a control plane and that of the pod", family)
			}
			if err := end(parent, stdin); err != nil {
				t.Fatal(err)
			}
			_ = parent.Wait() // how it ended is the test's own doing
			testkit.Await(t, "the end of all processes", func() error {
				left := processesOf(t, dir)
				return unless(len(left) == 0, "left: %q", left)
			})
		})
	}
}

// startParent starts a process that starts a cluster, and returns the cluster's kubeconfig.
func startParent(t *testing.T) (*exec.Cmd, io.Closer, string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parent := exec.Command(self)
	parent.Env = append(os.Environ(), programVariable+"=parent")
	parent.Stderr = os.Stderr
	stdin, err := parent.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = parent.Process.Kill() }) // which fails when it has ended, as it should
	kubeconfig, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return parent, stdin, strings.TrimSpace(kubeconfig)
}

// runServer runs a pod with a process that doesn't end when it is asked to, and deletes the pod, which gives it 30 seconds.
func runServer(t *testing.T, kubeconfig string) {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	s := space{client: client, namespace: metav1.NamespaceDefault}
	s.create(t, "deaf", corev1.PodSpec{Containers: []corev1.Container{probed("deaf")}})
	s.awaitPod(t, "deaf", ready)
	if err := client.CoreV1().Pods(s.namespace).Delete(t.Context(), "deaf", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

// processesOf are the command lines of the processes that name the directory or work in it.
func processesOf(t *testing.T, dir string) []string {
	t.Helper()
	directories, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, process := range directories {
		cmdline, err := os.ReadFile(filepath.Join(process, "cmdline"))
		if err != nil {
			continue // it has ended since
		}
		cwd, _ := os.Readlink(filepath.Join(process, "cwd")) // as above
		if strings.Contains(string(cmdline), dir) || strings.HasPrefix(cwd, dir) {
			found = append(found, string(cmdline))
		}
	}
	return found
}
