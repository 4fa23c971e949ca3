// Package binary builds the cert-manager that package certmanager runs. It is small, because it is compiled
// before the build starts.
package binary

import (
	"context"
	"io"
	"path/filepath"

	"github.com/osm-edge/osm/test/gobuild"
)

const (
	// Module is where the module of cert-manager's controllers is.
	Module = "test/certmanager/controllers"

	name = "cert-manager-controllers"
)

// Build returns the path of the controllers' binary. The first call compiles it, which takes minutes and is told to
// progress; see [gobuild.Program.Build].
func Build(ctx context.Context, progress io.Writer) (string, error) {
	dir, err := gobuild.Program{Name: name, Dir: Module, Of: "cert-manager", LDFlags: "-s -w"}.Build(ctx, progress)
	return filepath.Join(dir, name), err
}
