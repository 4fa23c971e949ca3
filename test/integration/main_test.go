// Package integration tests the mesh's own binaries against a real API server:
// what only that can prove.
package integration

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/test/cluster"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/testkit"
)

// bin is the directory of the mesh's binaries.
var bin string

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := withBinaries(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withBinaries(m *testing.M) (int, error) {
	var err error
	if bin, err = os.MkdirTemp("", "osm-bin"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(bin)
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", bin, "../../cmd/osm-bootstrap", "../../cmd/osm-injector", "../../cmd/osm-controller", "../../cmd/osm")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build the mesh: %w\n%s", err, out)
	}
	return m.Run(), nil
}

// startCluster starts a control plane for a test.
func startCluster(t *testing.T) (*cluster.Cluster, kubernetes.Interface) {
	t.Helper()
	return startClusterWith(t, cluster.Options{})
}

func startClusterWith(t *testing.T, options cluster.Options) (*cluster.Cluster, kubernetes.Interface) {
	t.Helper()
	options.Images = mesh.Images(bin)
	c, err := cluster.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	client, err := kubernetes.NewForConfig(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	return c, client
}

// startMesh starts a control plane with the mesh on it.
func startMesh(t *testing.T, values map[string]any) (*cluster.Cluster, kubernetes.Interface) {
	t.Helper()
	c, client := startCluster(t)
	install(t, c, values)
	return c, client
}

func install(t *testing.T, c *cluster.Cluster, values map[string]any) {
	t.Helper()
	if err := mesh.Install(testkit.Context(t, time.Minute), c.Config(), values); err != nil {
		showLogs(t, c)
		t.Fatal(err)
	}
}

func showLogs(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(c.LogDir(), "pods", mesh.Namespace, "*"))
	if err != nil {
		t.Error(err)
	}
	for _, name := range logs {
		if data, err := os.ReadFile(name); err == nil {
			t.Logf("%s\n%s", filepath.Base(name), data[max(0, len(data)-4000):])
		}
	}
}
