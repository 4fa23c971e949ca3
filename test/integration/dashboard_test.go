//go:build cli

package integration

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/test/cluster"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/testkit"
)

// told is what this test reads of the status.
type told struct {
	Replica  string
	Leads    bool
	NotReady string
	Roots    []struct{ Stage string }
	Proxies  []struct {
		Pod, ServiceAccount string
		Acked               time.Time
	}
	Certificates []struct{ Serial string }
}

// openDashboard runs osm dashboard until the test's end and returns the address
// that it prints.
func openDashboard(t *testing.T, c *cluster.Cluster) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), filepath.Join(bin, "osm"), "dashboard", "--no-browser", "--kubeconfig", c.Kubeconfig())
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 10 * time.Second
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(os.Interrupt)
		if _, err := io.Copy(io.Discard, out); err != nil {
			t.Error(err)
		}
		_ = command.Wait()
		if code := command.ProcessState.ExitCode(); code != 0 {
			t.Errorf("osm dashboard ended with %d after Ctrl-C", code)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "http://localhost:") {
		t.Fatalf("it printed %q, error %v", line, err)
	}
	url, _, _ := strings.Cut(line, " ")
	return url
}

// browse returns the document as the browser has it once it is loaded.
func browse(t *testing.T, url string, args ...string) string {
	t.Helper()
	browser, err := exec.LookPath("chromium")
	if err != nil && os.Getenv("BROWSER") == "required" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip("there is no chromium; make browser demands one")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	args = append(args, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--user-data-dir="+t.TempDir(), "--window-size=1280,1500", url)
	command := exec.CommandContext(ctx, browser, args...)
	command.WaitDelay = 5 * time.Second
	dom, err := command.Output()
	if err != nil {
		t.Fatalf("chromium: %v", err)
	}
	return string(dom)
}

func fetch(t *testing.T, url string, into any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
}

func TestTheDashboardShowsTheMesh(t *testing.T) {
	c, client := startMesh(t, nil)
	ctx := testkit.Context(t, 3*time.Minute)
	if err := mesh.Join(ctx, client, "bookstore"); err != nil {
		t.Fatal(err)
	}
	pod, err := mesh.Deploy(ctx, client, "bookstore", "bookstore-v1", corev1.Container{Image: "example/app:1"})
	if err != nil {
		t.Fatal(err)
	}
	runProxy(t, c, client, pod)
	url := openDashboard(t, c)

	var report told
	testkit.Condition(t, "the sidecar has acknowledged", func(context.Context) (bool, error) {
		fetch(t, url+"status.json", &report)
		return len(report.Proxies) == 1 && !report.Proxies[0].Acked.IsZero(), nil
	})
	if !report.Leads || report.NotReady != "" || len(report.Roots) != 1 || report.Roots[0].Stage != "signing" {
		t.Errorf("the replica tells %+v", report)
	}
	if p := report.Proxies[0]; p.Pod != pod.Name || p.ServiceAccount != "bookstore-v1" {
		t.Errorf("connected is %+v", p)
	}
	if n := len(report.Certificates); n == 0 || report.Certificates[0].Serial == "" {
		t.Errorf("certificates are %+v", report.Certificates)
	}
	dom := browse(t, url, "--dump-dom")
	for _, want := range []string{"bookstore/" + pod.Name, "spiffe://cluster.local/ns/bookstore/sa/bookstore-v1", "No proxy was refused", report.Replica} {
		if !strings.Contains(dom, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	if strings.Contains(dom, "<script") {
		t.Error("the page has a script: it is to be the same without JavaScript")
	}
}
