//go:build e2e

package e2e

import (
	"path"
	"path/filepath"
	"testing"

	"github.com/osm-edge/osm/test/image"
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
			o.Path = "/bin/sh" // what the injector has a sidecar's image run
		}
		if err := image.PackFile(binary+".tar", o); err != nil {
			t.Fatal(err)
		}
		archives = append(archives, binary+".tar")
	}
	return archives
}
