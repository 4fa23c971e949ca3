package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	testcluster "github.com/osm-edge/osm/test/cluster"
)

// TestOnACluster has one cluster for all commands.
func TestOnACluster(t *testing.T) {
	c, err := testcluster.Connect(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	t.Setenv("KUBECONFIG", c.Kubeconfig())
	client := kubernetes.NewForConfigOrDie(c.Config())
	for name, test := range map[string]func(*testing.T, kubernetes.Interface){
		"a namespace that may not be added keeps all others from it": refuseNamespaces,
		"a namespace can be added, ignored and removed again":        moveNamespace,
		"the list of namespaces says which injection is meant":       listInjections,
		"a restart is told of only where it would help":              tellOfRestarts,
		"the shell completes namespaces not given yet":               completeThem,
		"versions of a mesh are known by its labels":                 tellVersions,
	} {
		t.Run(name, func(t *testing.T) { test(t, client) })
	}
}

// osm runs a command and returns what it prints.
func osm(ctx context.Context, args ...string) (string, error) {
	command := newCommand()
	var out bytes.Buffer
	command.SetOut(&out)
	command.SetErr(&out)
	command.SetArgs(args)
	err := command.ExecuteContext(ctx)
	return out.String(), err
}

func lineOf(text, word string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, word+" ") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

func makeNamespace(t *testing.T, client kubernetes.Interface, name string, labels, annotations map[string]string) {
	t.Helper()
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels, Annotations: annotations}}
	if _, err := client.CoreV1().Namespaces().Create(t.Context(), n, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func makePod(t *testing.T, client kubernetes.Interface, namespace, name string, labels map[string]string, host bool) {
	t.Helper()
	// The default one of a namespace comes only some time after it.
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := client.CoreV1().ServiceAccounts(namespace).Create(t.Context(), account, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec: corev1.PodSpec{
			HostNetwork: host, ServiceAccountName: name,
			Containers: []corev1.Container{{Name: "app", Image: "app"}},
		},
	}
	if _, err := client.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}
