// Package binary builds the Vault that package vault runs. It is small, because it is compiled before the
// build starts.
package binary

import (
	"context"
	"io"

	"github.com/osm-edge/osm/test/gobuild"
)

// Name is that of the program in the directory that Build returns.
const Name = "vaultd"

// Build returns the directory of the program. The first call compiles it, which takes minutes and is told to progress; see
// [gobuild.Program.Build].
func Build(ctx context.Context, progress io.Writer) (string, error) {
	return gobuild.Program{Name: Name, Dir: "test/vault/vaultd", Of: "Vault", LDFlags: "-s -w"}.Build(ctx, progress)
}
