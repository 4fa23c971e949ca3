//go:build e2e

package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/test/transcript"
)

// guideTimeout bounds the commands of the pages, among which a root is replaced
// three times.
const guideTimeout = 15 * time.Minute

// TestTheCertificateGuideIsTrueOfRealPods runs the pages in each language on a
// node of its own. What it says of Vault and cert-manager is tried in test/guide.
func TestTheCertificateGuideIsTrueOfRealPods(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a full node needs root, which CI has")
	}
	images := pack(t, published)
	for language, suffix := range map[string]string{"English": ".md", "Japanese": ".ja.md"} {
		t.Run(language, func(t *testing.T) { followGuide(t, suffix, images) })
	}
}

func followGuide(t *testing.T, suffix string, images []string) {
	page := ""
	tr := startTrial(t, images)
	ctx, cancel := context.WithTimeout(t.Context(), guideTimeout)
	defer cancel()
	if err := tr.deployUnmeshed(ctx); err != nil {
		t.Fatal(err)
	}
	s, err := transcript.NewSession(transcript.Options{
		Dir: t.TempDir(), Pods: true,
		Env: []string{"KUBECONFIG=" + tr.node.Kubeconfig(), "HOME=" + tr.home, "PATH=" + osm(t) + ":" + tr.node.BinDir() + ":" + os.Getenv("PATH")},
		Log: func(step transcript.Step, note string) { t.Logf("%s:%d: %s %s", page, step.Line, step.Command, note) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, p := range []struct{ name, group string }{
		{"certificates", "built-in"}, {"rotate", transcript.Every}, {"bring-your-own-ca", transcript.Every},
	} {
		page = p.name + suffix
		document, err := transcript.Read("../../docs", page)
		if err != nil {
			t.Fatal(err)
		}
		if tr.failure = s.Run(ctx, document, p.group); tr.failure != nil {
			t.Fatal(tr.failure)
		}
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
	compile(t, filepath.Join(dir, "osm"), "github.com/osm-edge/osm/cmd/osm")
	return dir
}

// compile builds a program as the mesh's are, into a file or a directory.
func compile(t *testing.T, out string, packages ...string) {
	t.Helper()
	args := append([]string{"build", "-trimpath", "-tags", "grpcnotrace", "-o", out}, packages...)
	build := exec.CommandContext(t.Context(), "go", args...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
}
