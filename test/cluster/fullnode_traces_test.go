//go:build e2e

package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// family is the processes that come from this one, by their pid, with their command and start time, for pids come again.
type family map[string]string

func descendants(t *testing.T) family {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	parents, found := map[string]string{}, family{}
	for _, path := range stats {
		if pid, parent, _ := identify(path); pid != "" {
			parents[pid] = parent
		}
	}
	self := strconv.Itoa(os.Getpid())
	for pid := range parents {
		for ancestor := parents[pid]; ancestor != ""; ancestor = parents[ancestor] {
			if ancestor == self {
				_, _, found[pid] = identify("/proc/" + pid + "/stat")
			}
		}
	}
	return found
}

// identify reads proc_pid_stat(5). All are empty when the process has ended.
func identify(path string) (pid, parent, identity string) {
	content, _ := os.ReadFile(path)
	head, rest, ok := strings.Cut(string(content), ") ")
	if !ok {
		return "", "", ""
	}
	fields := strings.Fields(rest) // from the third on
	pid, command, _ := strings.Cut(head, " (")
	return pid, fields[1], command + " of " + fields[19]
}

// left is an error that names the processes that still are.
func (f family) left() error {
	var errs []error
	for pid, identity := range f {
		if _, _, now := identify("/proc/" + pid + "/stat"); now != "" && now == identity {
			errs = append(errs, fmt.Errorf("process %s is left: %s", pid, identity))
		}
	}
	return errors.Join(errs...)
}

// assertGone looks for what belongs to a node that had the directory.
func assertGone(t *testing.T, dir string) {
	t.Helper()
	groups, err := cgroupsOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(groups, dir) {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", path, err)
		}
	}
}

// machine is what a node could change without its name on it: mounts, interfaces, tunables and what its programs take for theirs.
type machine []string

func observe(t *testing.T) machine {
	t.Helper()
	var seen machine
	for _, pattern := range []string{
		"/sys/class/net/*", "/sys/fs/cgroup/*", "/run/containerd", "/run/netns/*", "/opt/*", "/etc/cni/*", "/usr/libexec/kubernetes",
		"/var/lib/kubelet", "/var/lib/containerd", "/var/lib/cni", "/var/log/pods", "/var/log/containers",
	} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if !strings.Contains(path, "/osm-") { // that of another node
				seen = append(seen, path)
			}
		}
	}
	for _, path := range []string{
		"/proc/self/mountinfo", "/proc/sys/vm/overcommit_memory", "/proc/sys/vm/panic_on_oom", "/proc/sys/kernel/panic",
		"/proc/sys/kernel/panic_on_oops", "/proc/sys/kernel/keys/root_maxkeys", "/proc/sys/net/ipv4/ip_forward",
	} {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(content)) {
			seen = append(seen, path+": "+line)
		}
	}
	return seen
}

func (m machine) compare(t *testing.T) {
	t.Helper()
	for _, now := range observe(t) {
		if !slices.Contains(m, now) {
			t.Errorf("was not there before: %s", now)
		}
	}
}
