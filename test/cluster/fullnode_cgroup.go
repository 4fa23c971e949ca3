package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cgroups is a node's own control group in every hierarchy that the machine has mounted: one with version 2, one for each
// controller with version 1, and all of them where both are in use.
type cgroups struct {
	path string // from each hierarchy's root
	dirs []string
}

func newCgroups(path string) (cgroups, error) {
	hierarchies, err := mountPoints("cgroup", "cgroup2")
	if err != nil {
		return cgroups{}, fmt.Errorf("finding the control group hierarchies: %w", err)
	}
	if len(hierarchies) == 0 {
		return cgroups{}, errors.New("no control group hierarchy is mounted")
	}
	c := cgroups{path: path}
	for _, hierarchy := range hierarchies {
		dir := filepath.Join(hierarchy, path)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return cgroups{}, errors.Join(fmt.Errorf("making the node's control group: %w", err), c.remove(context.Background()))
		}
		c.dirs = append(c.dirs, dir)
	}
	return c, nil
}

// mountPoints are where file systems of these types are mounted (proc_pid_mountinfo(5)).
func mountPoints(types ...string) ([]string, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var points []string
	for line := range strings.Lines(string(mounts)) {
		mount, filesystem, _ := strings.Cut(line, " - ")
		fields := strings.Fields(mount)
		if kind, _, ok := strings.Cut(filesystem, " "); ok && slices.Contains(types, kind) {
			points = append(points, fields[4])
		}
	}
	return points, nil
}

// remove removes the groups and all below them. The kernel may take a moment to let go of a group whose last process ended.
func (c cgroups) remove(ctx context.Context) error {
	retry := time.NewTicker(10 * time.Millisecond)
	defer retry.Stop()
	for {
		var errs []error
		for _, dir := range c.dirs {
			errs = append(errs, removeGroup(dir))
		}
		err := errors.Join(errs...)
		if !errors.Is(err, unix.EBUSY) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-retry.C:
		}
	}
}

// removeGroup removes directories alone, deepest first: the files in them go with them and can't be removed.
func removeGroup(dir string) error {
	var groups []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			groups = append(groups, path)
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, group := range slices.Backward(groups) {
		if err := unix.Rmdir(group); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing control group %s: %w", group, err)
		}
	}
	return nil
}
