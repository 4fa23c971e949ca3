package cluster

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

// Build returns the directory of the Kubernetes binaries: kubeone and, under the name of each component, a link to it.
// The first call compiles them, which takes minutes and is told to progress; later ones, by any process of this user,
// find them in the user's cache directory for as long as the sources, the flags and the Go version stay the same.
func Build(ctx context.Context, progress io.Writer) (string, error) {
	r, err := newRecipe(ctx)
	if err != nil {
		return "", fmt.Errorf("reading what kubeone is built from: %w", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the user's cache directory: %w", err)
	}
	root := filepath.Join(cache, "osm", "kubeone")
	dir := filepath.Join(root, r.hash)
	if built(dir) {
		return dir, nil
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", fmt.Errorf("making the cache directory: %w", err)
	}
	lock, err := lockFile(ctx, filepath.Join(root, "lock"))
	if err != nil {
		return "", fmt.Errorf("waiting for another build of kubeone: %w", err)
	}
	defer lock.Close()
	if built(dir) {
		return dir, nil
	}
	if err := r.build(ctx, dir, progress); err != nil {
		return "", fmt.Errorf("building kubeone: %w", err)
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
func (r recipe) build(ctx context.Context, dir string, progress io.Writer) error {
	temp := filepath.Join(filepath.Dir(dir), "building")
	if err := os.RemoveAll(temp); err != nil {
		return err
	}
	if err := os.Mkdir(temp, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := r.compile(ctx, filepath.Join(temp, "kubeone"), progress); err != nil {
		return err
	}
	for _, name := range components() {
		if err := os.Symlink("kubeone", filepath.Join(temp, name)); err != nil {
			return err
		}
	}
	return os.Rename(temp, dir)
}

// compile runs the Go command, which is asked first what is left to compile, so that its progress has an end in sight.
func (r recipe) compile(ctx context.Context, output string, progress io.Writer) error {
	m := newMeter(progress)
	defer m.run()()
	m.say("Kubernetes is built from its Go modules: this takes minutes, once")
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
