// Package gobuild builds programs of nested modules, which are too large to be built anew for every test, and keeps them
// outside the source tree. It knows no program in particular.
package gobuild

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Program is the main package at the root of a nested module.
type Program struct {
	// Name is that of the binary, of its directory in the cache, and in what is told of its progress.
	Name string
	// Dir is the nested module's directory, from the root of the project, with slashes.
	Dir string
	// Of says what it is built from, to show while it builds.
	Of string
	// LDFlags are those of the linker.
	LDFlags string
	// Links are names under which the binary is found as well.
	Links []string
}

// Version returns which version of a dependency the nested module in dir has.
func Version(ctx context.Context, dir, dependency string) (string, error) {
	dir, err := moduleDir(ctx, dir)
	if err != nil {
		return "", err
	}
	return goOutput(ctx, dir, "list", "-m", "-f", "{{.Version}}", dependency)
}

// Source returns the directory of the sources of a dependency that the nested module in dir has. They are downloaded if
// they are not there, as when only the binary has been kept.
func Source(ctx context.Context, dir, dependency string) (string, error) {
	dir, err := moduleDir(ctx, dir)
	if err != nil {
		return "", err
	}
	if _, err := goOutput(ctx, dir, "mod", "download", dependency); err != nil {
		return "", err
	}
	return goOutput(ctx, dir, "list", "-m", "-f", "{{.Dir}}", dependency)
}

// Build returns the directory of the binary and its links. The first call compiles it, which takes minutes and is told
// to progress; later ones, by any process of this user, find it in the user's cache directory for as long as the
// sources, the flags and the Go version stay the same.
func (p Program) Build(ctx context.Context, progress io.Writer) (string, error) {
	r, err := p.recipe(ctx)
	if err != nil {
		return "", fmt.Errorf("reading what %s is built from: %w", p.Name, err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the user's cache directory: %w", err)
	}
	root := filepath.Join(cache, "osm", p.Name)
	dir := filepath.Join(root, r.hash)
	if built(dir) {
		return dir, nil
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", fmt.Errorf("making the cache directory: %w", err)
	}
	lock, err := Lock(ctx, filepath.Join(root, "lock"))
	if err != nil {
		return "", fmt.Errorf("waiting for another build of %s: %w", p.Name, err)
	}
	defer lock.Close()
	if built(dir) {
		return dir, nil
	}
	if err := p.build(ctx, r, dir, progress); err != nil {
		return "", fmt.Errorf("building %s: %w", p.Name, err)
	}
	return dir, nil
}

// built says whether dir is complete, which it is as soon as it exists: it is renamed into place.
func built(dir string) bool {
	_, err := os.Stat(dir)
	return err == nil
}

// build compiles into a directory beside dir and renames it, so that dir is never seen half full. Its caller holds the lock:
// a directory that another build has left is that of one that was killed.
func (p Program) build(ctx context.Context, r recipe, dir string, progress io.Writer) error {
	temp := filepath.Join(filepath.Dir(dir), "building")
	if err := os.RemoveAll(temp); err != nil {
		return err
	}
	if err := os.Mkdir(temp, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := p.compile(ctx, r, filepath.Join(temp, p.Name), progress); err != nil {
		return err
	}
	for _, name := range p.Links {
		if err := os.Symlink(p.Name, filepath.Join(temp, name)); err != nil {
			return err
		}
	}
	return os.Rename(temp, dir)
}

// compile runs the Go command, which is asked first what is left to compile, so that its progress has an end in sight.
func (p Program) compile(ctx context.Context, r recipe, output string, progress io.Writer) error {
	m := newMeter(p.Name, progress)
	defer m.run()()
	m.say(p.Of + " is built from its Go modules: this takes minutes, once")
	stale, err := r.output(ctx, m, r.goArgs("list", "-deps", "-f", "{{if .Stale}}{{.ImportPath}}{{end}}")...)
	if err != nil {
		return err
	}
	m.expect(strings.Fields(stale))
	if _, err := r.output(ctx, m, r.goArgs("build", "-v", "-o", output)...); err != nil {
		return err
	}
	m.say("built in " + m.elapsed())
	return nil
}

// output runs the Go command in the module's directory and returns what it printed; what it tells on the way goes to m.
func (r recipe) output(ctx context.Context, m *meter, args ...string) (string, error) {
	// The kernel ends the child with the thread that forked it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var out strings.Builder
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = r.dir, r.environment(), &out, m
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", args[0], err, m.complaint())
	}
	return out.String(), nil
}
