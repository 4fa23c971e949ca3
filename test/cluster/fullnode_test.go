//go:build e2e

package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/kubernetes"
)

func TestAFullNodeRunsRealPodsAndLeavesNothing(t *testing.T) {
	requireRoot(t)
	before := observe(t)
	n := startOwnNode(t)
	client, err := kubernetes.NewForConfig(n.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Run("running", func(t *testing.T) {
		for sentence, test := range map[string]func(*testing.T, *Node, kubernetes.Interface){
			"a Service is reached by its address and by its name":          reachService,
			"a pod reaches the API server by its name and can verify it":   reachAPIServer,
			"a pod's volume holds its token, its labels and a ConfigMap":   readVolume,
			"a ConfigMap that is changed changes in the pod's volume":      followConfigMap,
			"a sidecar is ready before the containers and ends after them": runSidecar,
		} {
			t.Run(sentence, func(t *testing.T) {
				t.Parallel()
				test(t, n, client)
			})
		}
	})
	family := descendants(t)
	if len(family) < 10 {
		t.Errorf("a node of few processes: %v", family)
	}
	if err := errors.Join(n.Stop(), family.left()); err != nil {
		t.Error(err)
	}
	assertGone(t, n.plan.dir)
	before.compare(t)
}

func TestAFullNodeThatCanNotStartLeavesNothing(t *testing.T) {
	requireRoot(t)
	temporary, err := os.MkdirTemp("", "node") // whose path is shorter than t.TempDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(temporary); err != nil {
			t.Error(err)
		}
	})
	for sentence, tc := range map[string]struct {
		options NodeOptions
		want    string
	}{
		"an image that is missing": {
			NodeOptions{Dir: filepath.Join(temporary, "a"), Images: []string{"missing.tar"}},
			"importing images: missing.tar",
		},
		"a directory that the node hides": {
			NodeOptions{Dir: "/var/lib/osm-cluster-test"},
			"/var/lib/osm-cluster-test is hidden by the node's own /var/lib",
		},
		"a directory with too long a path": {
			NodeOptions{Dir: filepath.Join(temporary, strings.Repeat("a", 70))},
			"is not shorter than 70 bytes",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			before := observe(t)
			n, err := StartNode(t.Context(), tc.options)
			if err == nil {
				t.Fatalf("a node started: %v", n.Stop())
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error that says %q", err, tc.want)
			}
			assertGone(t, tc.options.Dir)
			before.compare(t)
		})
	}
}

func TestAFullNodeEndsWithTheProcessThatStartedIt(t *testing.T) {
	requireRoot(t)
	const variable = "CLUSTER_TEST_STARTS_NODE"
	if os.Getenv(variable) != "" {
		n, err := StartNode(t.Context(), NodeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(n.plan.dir)
		select {} // until it is killed
	}
	before := observe(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	other := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$")
	other.Env = append(os.Environ(), variable+"=1")
	stdout, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	dir, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the process that starts a node says %q: %v", dir, err)
	}
	family := descendants(t)
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait() // it was killed
	if err := await(t.Context(), "the end of all processes", nil, func(context.Context) error { return family.left() }); err != nil {
		t.Error(err)
	}
	if err := removeLeftovers(); err != nil { // as the next cluster does
		t.Error(err)
	}
	assertGone(t, strings.TrimSpace(dir))
	before.compare(t)
}

func requireRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a full node needs root, which CI has")
	}
}

func startOwnNode(t *testing.T) *Node {
	t.Helper()
	n, err := StartNode(t.Context(), NodeOptions{Images: []string{packApp(t)}, Log: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Stop(); err != nil {
			t.Error(err)
		}
	})
	return n
}
