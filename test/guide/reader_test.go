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

// reader does what pages say, one after the other, on a cluster.
type reader struct {
	t       *testing.T
	page    string
	session *transcript.Session
}

func newReader(t *testing.T, c *cluster.Cluster, given map[string]string) *reader {
	t.Helper()
	r := &reader{t: t}
	s, err := transcript.NewSession(transcript.Options{
		Dir: t.TempDir(), Given: given,
		Env: []string{"KUBECONFIG=" + c.Kubeconfig(), "HOME=" + t.TempDir(), "PATH=" + bin + ":" + c.BinDir() + ":" + os.Getenv("PATH")},
		Log: func(step transcript.Step, note string) { t.Logf("%s:%d: %s %s", r.page, step.Line, step.Command, note) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s.Close) })
	r.session = s
	return r
}

// read runs a group of a page of docs/.
func (r *reader) read(page, group string) {
	r.t.Helper()
	r.page = page
	document, err := transcript.Read("../../docs", page)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.session.Run(r.t.Context(), document, group); err != nil {
		r.t.Fatal(err)
	}
}

// do runs a command that no page has.
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
