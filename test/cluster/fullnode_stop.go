package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// stopTimeout bounds how long the kernel may take to let go of a node's control groups.
const stopTimeout = 30 * time.Second

// end kills the first process of the pid namespace, and the kernel kills all others and ends it after them
// (pid_namespaces(7)). The mount and network namespaces go with the last of them, and with those what is in them.
func (n *Node) end() error {
	n.endForward()
	errs := []error{n.forward.Wait()}
	for _, p := range n.processes {
		_ = p.signal(syscall.SIGKILL) // fails only if the process has ended
		<-p.done
	}
	n.launcher.close()
	errs = append(errs, n.cgroups.remove(stopTimeout), os.RemoveAll(n.plan.dir), n.lock.Close(), n.namespaces.members(), mountsUnder(n.plan.dir))
	return errors.Join(errs...)
}

// faults is what went wrong while the node ran.
func (n *Node) faults() error {
	var errs []error
	for _, p := range n.processes {
		select {
		case <-p.done:
			errs = append(errs, p.ended())
		default:
		}
	}
	return errors.Join(errs...)
}

// namespaces are a node's own, as the links in /proc/PID/ns have them.
type namespaces map[string]bool

func namespacesOf(pid int) (namespaces, error) {
	s := namespaces{}
	for _, kind := range []string{"mnt", "net", "pid", "uts", "ipc"} {
		link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
		if err != nil {
			return nil, fmt.Errorf("reading the node's namespaces: %w", err)
		}
		s[link] = true
	}
	return s, nil
}

// members is an error that names the processes in any of the namespaces.
func (s namespaces) members() error {
	links, err := filepath.Glob("/proc/[0-9]*/ns/*")
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range links {
		if link, err := os.Readlink(path); err == nil && s[link] { // an error: the process has ended since
			errs = append(errs, fmt.Errorf("process is left: %s is %s", path, link))
		}
	}
	return errors.Join(errs...)
}

// mountsUnder is an error that names the mounts of the directory.
func mountsUnder(dir string) error {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	var errs []error
	for mount := range strings.Lines(string(mounts)) {
		if strings.Contains(mount, dir) {
			errs = append(errs, fmt.Errorf("mount is left: %s", strings.TrimSpace(mount)))
		}
	}
	return errors.Join(errs...)
}
