package main

import (
	"bytes"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/version"
	fakediscovery "k8s.io/client-go/discovery/fake"
	"k8s.io/client-go/kubernetes/fake"
)

// No real API server says that it is old.
func TestAnOldKubernetesIsRefused(t *testing.T) {
	t.Parallel()
	for is, want := range map[string]string{
		"v1.29.14":       "Kubernetes is v1.29.14, and a mesh needs 1.30.0 or newer\n    to fix it: upgrade the cluster\n",
		"v1.30.0":        "",
		"v1.34.1+k3s1":   "",
		"v1.29.9-eks-a1": "Kubernetes is v1.29.9-eks-a1, and a mesh needs",
	} {
		client := fake.NewClientset()
		client.Discovery().(*fakediscovery.FakeDiscovery).FakedServerVersion = &version.Info{GitVersion: is}
		var out bytes.Buffer
		p := &preflight{client: client, out: newTerminal(&out)}
		if err := p.version(t.Context()); err != nil {
			t.Fatal(err)
		}
		if (len(p.problems) > 0) != (want != "") || !strings.Contains(out.String(), want) {
			t.Errorf("%s: problems %v, printed %q, want %q", is, p.problems, &out, want)
		}
	}
}
