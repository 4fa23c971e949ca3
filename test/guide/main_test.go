//go:build cli

package guide

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// bin is the directory of the mesh's binaries and of the guide's commands.
var bin string

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := withBinaries(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withBinaries(m *testing.M) (int, error) {
	var err error
	if bin, err = os.MkdirTemp("", "osm-bin"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(bin)
	build := exec.Command("go", "build", "-trimpath", "-o", bin,
		"../../cmd/osm-bootstrap", "../../cmd/osm-injector", "../../cmd/osm-controller", "../../cmd/osm", "../vault/vault")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("build the mesh: %w\n%s", err, out)
	}
	return m.Run(), nil
}
