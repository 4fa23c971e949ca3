// Package image packs static binaries as OCI image archives with the packer of the nested module packer, which it
// builds and runs: so the module of the mesh needs no library for images.
package image

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"

	"github.com/osm-edge/osm/test/gobuild"
)

// Options says what to pack.
type Options struct {
	Binary string            // path of a statically linked ELF executable, the image's entrypoint
	Path   string            // where the image has it; by default at the root, under its base name
	Name   string            // full reference with registry and tag, e.g. registry.example/osm/osm-injector:v1.2.3
	Beside map[string]string // paths of further static executables, by where the image has them; none by default
}

// PackFile writes the image's archive to a file, which is complete or absent.
func PackFile(ctx context.Context, archive string, o Options) error {
	packer := gobuild.Program{Name: "packer", Dir: "test/image/packer", Of: "the image packer", LDFlags: "-s -w"}
	dir, err := packer.Build(ctx, io.Discard)
	if err != nil {
		return err
	}
	args := []string{"-o", archive, "-name", o.Name, "-path", o.Path}
	for path, binary := range o.Beside {
		args = append(args, "-beside", path+"="+binary)
	}
	if out, err := exec.CommandContext(ctx, filepath.Join(dir, packer.Name), append(args, o.Binary)...).CombinedOutput(); err != nil {
		return fmt.Errorf("pack %s: %w\n%s", o.Binary, err, out)
	}
	return nil
}
