package gobuild

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// recipe is all that decides what a program becomes.
type recipe struct {
	dir     string // of the nested module
	ldflags string
	links   []string
	hash    string
}

func (p Program) recipe(ctx context.Context) (recipe, error) {
	dir, err := moduleDir(ctx, p.Dir)
	if err != nil {
		return recipe{}, err
	}
	r := recipe{dir: dir, ldflags: p.LDFlags, links: p.Links}
	r.hash, err = r.digest(ctx)
	return r, err
}

// moduleDir returns where a directory of the project is.
func moduleDir(ctx context.Context, dir string) (string, error) {
	root, err := goOutput(ctx, "", "list", "-m", "-f", "{{.Dir}}", "github.com/osm-edge/osm")
	if err != nil {
		return "", fmt.Errorf("finding the source tree, which the working directory must be in: %w", err)
	}
	return filepath.Join(root, filepath.FromSlash(dir)), nil
}

// goArgs adds the flags that every step of the build needs alike to find the same packages in Go's build cache.
// No DWARF and no inlining save a third of the work, and these binaries are not debugged or measured.
func (r recipe) goArgs(verb string, args ...string) []string {
	args = append([]string{verb, "-trimpath", "-gcflags=all=-dwarf=false -l", "-ldflags", r.ldflags}, args...)
	return append(args, ".")
}

func (r recipe) environment() []string {
	return append(os.Environ(), goSettings()...)
}

func goSettings() []string {
	return []string{"CGO_ENABLED=0", "GOFLAGS=-mod=readonly -buildvcs=false", "GOWORK=off"}
}

// digest names what is built: the module's files, the flags, the links, and the compiler with its target.
func (r recipe) digest(ctx context.Context) (string, error) {
	compiler, err := goOutput(ctx, r.dir, "env", "GOVERSION", "GOOS", "GOARCH")
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q %q", compiler, goSettings(), r.goArgs("build"), r.links)
	err = filepath.WalkDir(r.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		return hashFile(h, path)
	})
	if err != nil {
		return "", fmt.Errorf("hashing the module: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil))[:20], nil
}

func hashFile(h io.Writer, path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(h, "%q %d\n%s", filepath.Base(path), len(content), content)
	return err
}

// goOutput is the trimmed output of a short Go command.
func goOutput(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOWORK=off")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}
