//go:build e2e

package e2e

import (
	"errors"
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
		if path.Base(p) == "sidecar" {
			archives = append(archives, packSidecar(t, binary, name("sidecar")))
			continue
		}
		archives = append(archives, packFile(t, image.Options{Binary: binary, Name: name(path.Base(p))}))
	}
	return archives
}

// packFile writes an image's archive.
func packFile(t *testing.T, o image.Options) string {
	t.Helper()
	archive := filepath.Join(t.TempDir(), "image.tar")
	if err := image.PackFile(t.Context(), archive, o); err != nil {
		t.Fatal(err)
	}
	return archive
}

// packSidecar returns the archive of the sidecar's image: the one that PIPY_IMAGE
// names, or one of the Pipy that PIPY names with a shell, for the injector has
// both run, or of the reference sidecar, which stands in for both.
func packSidecar(t *testing.T, reference, name string) string {
	t.Helper()
	archive, err := pipy.Image()
	binary, err2 := pipy.Binary()
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	switch {
	case archive != "":
		t.Logf("the sidecar is the image %s, which has to be named %s", archive, name)
		return archive
	case binary != "":
		version, err := pipy.Version(t.Context(), binary)
		if err != nil {
			t.Fatal(err)
		}
		shell, err := cluster.BusyBox(t.Context(), t.Output())
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("the sidecar is Pipy %s, %s; if that is not static, name an image in %s", version, binary, pipy.ImageVariable)
		return packFile(t, image.Options{Binary: binary, Path: "/usr/local/bin/pipy", Beside: map[string]string{"/bin/sh": shell}, Name: name})
	}
	t.Log("the sidecar is the reference sidecar")
	return packFile(t, image.Options{Binary: reference, Path: "/bin/sh", Name: name})
}
