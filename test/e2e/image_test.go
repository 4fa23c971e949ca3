//go:build e2e

package e2e

import (
	"path"
	"path/filepath"
	"testing"

	"github.com/osm-edge/osm/test/cluster"
	"github.com/osm-edge/osm/test/image"
	"github.com/osm-edge/osm/test/pipy"
)

const (
	registry = "localhost"
	tag      = "e2e"
)

func imageOf(binary string) string { return registry + "/" + binary + ":" + tag }

// pack builds the mesh's binaries and those of its pods, and returns an image
// archive of each, under the name that it is given.
func pack(t *testing.T, name func(binary string) string) []string {
	t.Helper()
	const module = "github.com/osm-edge/osm/"
	packages := []string{
		module + "cmd/osm-bootstrap", module + "cmd/osm-injector", module + "cmd/osm-controller", module + "cmd/osm-init",
		module + "test/sidecar/cmd/sidecar", module + "test/e2e/app", module + "test/e2e/attacker",
	}
	dir := t.TempDir()
	compile(t, dir, packages...)
	var archives []string
	for _, p := range packages {
		binary := filepath.Join(dir, path.Base(p))
		o := image.Options{Binary: binary, Name: name(path.Base(p))}
		if path.Base(p) == "sidecar" {
			o = sidecar(t, o)
		}
		if err := image.PackFile(binary+".tar", o); err != nil {
			t.Fatal(err)
		}
		archives = append(archives, binary+".tar")
	}
	return archives
}

// sidecar is the image of the Pipy that PIPY names, with a shell as the injector
// has its image run, or of the reference sidecar, which stands in for both.
func sidecar(t *testing.T, o image.Options) image.Options {
	t.Helper()
	binary, err := pipy.Binary()
	if err != nil {
		t.Fatal(err)
	}
	if binary == "" {
		t.Log("the sidecar is the reference sidecar")
		o.Path = "/bin/sh"
		return o
	}
	version, err := pipy.Version(t.Context(), binary)
	if err != nil {
		t.Fatal(err)
	}
	shell, err := cluster.BusyBox(t.Context(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the sidecar is Pipy %s, %s", version, binary)
	o.Binary, o.Path, o.Beside = binary, "/usr/local/bin/pipy", map[string]string{"/bin/sh": shell}
	return o
}
