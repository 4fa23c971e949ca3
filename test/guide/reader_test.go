//go:build cli

package guide

import (
	"os"
	"path/filepath"
	"testing"

	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/test/cluster"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/transcript"
)

// reader does what a document says, on a cluster.
type reader struct {
	t        *testing.T
	document transcript.Document
	session  *transcript.Session
}

func newReader(t *testing.T, c *cluster.Cluster, name string, given map[string]string) *reader {
	t.Helper()
	document, err := transcript.Read("../..", name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := transcript.NewSession(transcript.Options{
		Dir: t.TempDir(), Given: given,
		Env: []string{"KUBECONFIG=" + c.Kubeconfig(), "HOME=" + t.TempDir(), "PATH=" + bin + ":" + c.BinDir() + ":" + os.Getenv("PATH")},
		Log: func(step transcript.Step, note string) { t.Logf("%s:%d: %s %s", name, step.Line, step.Command, note) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s.Close) })
	return &reader{t, document, s}
}

// read runs a group of the document.
func (r *reader) read(group string) {
	r.t.Helper()
	if err := r.session.Run(r.t.Context(), r.document, group); err != nil {
		r.t.Fatal(err)
	}
}

// do runs a command that the document does not have.
func (r *reader) do(command string) {
	r.t.Helper()
	if err := r.session.Step(r.t.Context(), transcript.Step{Command: command}); err != nil {
		r.t.Fatal(err)
	}
}

func startCluster(t *testing.T) (*cluster.Cluster, kubernetes.Interface) {
	t.Helper()
	images := map[string]string{}
	for _, name := range mesh.Components {
		images["flomesh/"+name] = filepath.Join(bin, name)
	}
	c, err := cluster.Start(t.Context(), cluster.Options{Images: images})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, c.Stop) })
	client, err := kubernetes.NewForConfig(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	return c, client
}

func stop(t *testing.T, end func() error) {
	t.Helper()
	if err := end(); err != nil {
		t.Error(err)
	}
}
