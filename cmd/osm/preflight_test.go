package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/version"
	fakediscovery "k8s.io/client-go/discovery/fake"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/rootsecret"
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

// The problem may hold the words that divide it from the fix in a text.
func TestASecretThatIsRefusedIsPrintedWithItsFix(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := &preflight{out: newTerminal(&out)}
	refused := &rootsecret.RefusedError{Namespace: "osm-system", Name: "osm-ca", Key: "ca.crt", Problem: "it says x" + issuer.ToFix + "y", Fix: "put another there"}
	if err := p.refused(fmt.Errorf("read it: %w", refused)); err != nil {
		t.Fatal(err)
	}
	want := `secret osm-system/osm-ca is refused: key "ca.crt": it says x; to fix it, y` + "\n    to fix it: put another there\n"
	if len(p.problems) != 1 || !strings.Contains(out.String(), want) {
		t.Errorf("problems %v, printed %q, want %q", p.problems, &out, want)
	}
	if err := p.refused(nil); err != nil || len(p.problems) != 1 {
		t.Errorf("no error is %v, problems %v", err, p.problems)
	}
	if err := p.refused(errors.ErrUnsupported); !errors.Is(err, errors.ErrUnsupported) || len(p.problems) != 1 {
		t.Errorf("another error is %v, problems %v", err, p.problems)
	}
}
