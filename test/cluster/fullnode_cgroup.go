package cluster

import (
	"crypto/sha256"
	"encoding/hex"
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

// cgroups are a node's own control group in every hierarchy that the machine has mounted: one with version 2, one for each
// controller with version 1, and all of them where both are in use.
type cgroups []string

// cgroupPath is the path, in every hierarchy, of the control group of the node that has the directory.
func cgroupPath(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return "/osm-" + hex.EncodeToString(sum[:6])
}

func cgroupsOf(dir string) (cgroups, error) {
	hierarchies, err := mountPoints("cgroup", "cgroup2")
	if err != nil {
		return nil, fmt.Errorf("finding the control group hierarchies: %w", err)
	}
	var groups cgroups
	for _, hierarchy := range hierarchies {
		groups = append(groups, filepath.Join(hierarchy, cgroupPath(dir)))
	}
	return groups, nil
}

func (c cgroups) create() error {
	if len(c) == 0 {
		return errors.New("no control group hierarchy is mounted: mount one at /sys/fs/cgroup")
	}
	if len(c) == 1 {
		if err := enableControllers(filepath.Dir(c[0])); err != nil {
			return err
		}
	}
	for _, dir := range c {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("making the node's control group: %w", err)
		}
	}
	return nil
}

// enableControllers lets groups below the root of the machine's only hierarchy, which is of version 2, have the controllers
// that a kubelet asks of its own. They stay enabled, as with every container runtime: another may have come to need them.
func enableControllers(root string) error {
	available, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if errors.Is(err, fs.ErrNotExist) { // version 1, where groups have their hierarchy's controller anyway
		return nil
	}
	if err != nil {
		return err
	}
	for _, controller := range strings.Fields(string(available)) {
		if !slices.Contains([]string{"cpu", "cpuset", "memory", "hugetlb", "pids"}, controller) {
			continue
		}
		if err := os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+"+controller), 0o644); err != nil {
			return fmt.Errorf("enabling the %s controller below %s, which must hold no process itself: %w", controller, root, err)
		}
	}
	return nil
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

// remove removes the groups and all below them. The kernel may take a moment to let go of a group whose last process
// ended: within bounds how long that is waited for.
func (c cgroups) remove(within time.Duration) error {
	deadline := time.After(within)
	retry := time.NewTicker(10 * time.Millisecond)
	defer retry.Stop()
	for {
		var errs []error
		for _, dir := range c {
			errs = append(errs, removeGroup(dir))
		}
		err := errors.Join(errs...)
		if !errors.Is(err, unix.EBUSY) {
			return err
		}
		select {
		case <-deadline:
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
