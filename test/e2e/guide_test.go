//go:build e2e

package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/osm-edge/osm/test/transcript"
	corev1 "k8s.io/api/core/v1"
)

// guideTimeout bounds the commands of a guide, among which a root is replaced
// three times.
const guideTimeout = 15 * time.Minute

// TestTheCertificateGuideIsTrueOfRealPods runs the guide in each language on a
// node of its own. What it says of Vault and cert-manager is tried in test/guide.
func TestTheCertificateGuideIsTrueOfRealPods(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a full node needs root, which CI has")
	}
	images := pack(t, published)
	for _, name := range []string{"docs/certificates.md", "docs/certificates.ja.md"} {
		t.Run(filepath.Base(name), func(t *testing.T) { followGuide(t, name, images) })
	}
}

func followGuide(t *testing.T, name string, images []string) {
	document, err := transcript.Read("../..", name)
	if err != nil {
		t.Fatal(err)
	}
	tr := startTrial(t, images)
	ctx, cancel := context.WithTimeout(t.Context(), guideTimeout)
	defer cancel()
	if err := tr.deployUnmeshed(ctx); err != nil {
		t.Fatal(err)
	}
	s, err := transcript.NewSession(transcript.Options{
		Dir: t.TempDir(), Pods: true,
		Env: []string{"KUBECONFIG=" + tr.node.Kubeconfig(), "HOME=" + tr.home, "PATH=" + osm(t) + ":" + tr.node.BinDir() + ":" + os.Getenv("PATH")},
		Log: func(step transcript.Step, note string) { t.Logf("%s:%d: %s %s", name, step.Line, step.Command, note) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if tr.failure = s.Run(ctx, document, "built-in"); tr.failure != nil {
		t.Fatal(tr.failure)
	}
}

// deployUnmeshed deploys what the guide expects to run already.
func (tr *trial) deployUnmeshed(ctx context.Context) error {
	if err := tr.createNamespace(ctx, "bookstore", nil, nil); err != nil {
		return err
	}
	container := app("bookstore-v2", "serve")
	container.Image = published("app")
	_, err := tr.deployTemplate(ctx, "bookstore", "bookstore-v2", corev1.PodTemplateSpec{
		Spec: corev1.PodSpec{Containers: []corev1.Container{container}},
	})
	return err
}

// published is what the chart calls the image, unless it is told otherwise.
func published(binary string) string {
	if binary == "sidecar" {
		return "docker.io/flomesh/pipy:1.5.18"
	}
	return "docker.io/flomesh/" + binary + ":0.1.0"
}

// osm builds the command line tool and returns its directory.
func osm(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", filepath.Join(dir, "osm"), "github.com/osm-edge/osm/cmd/osm")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build osm: %v\n%s", err, out)
	}
	return dir
}
