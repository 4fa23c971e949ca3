package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// process is a program that this one has started: of Kubernetes, of the mesh, a
// Pipy, Vault or cert-manager.
type process struct {
	pid     int
	program string
}

// ofTheMesh reports whether it is a component or a sidecar.
func (p process) ofTheMesh() bool {
	return strings.HasPrefix(p.program, "osm-") || p.program == "pipy"
}

// children are the processes of this one that run.
func children() ([]process, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var found []process
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		pid, parent, err := parentOf(string(content))
		if err != nil {
			return nil, err
		}
		if parent != os.Getpid() {
			continue
		}
		// As it was called: those of Kubernetes are one binary.
		command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		program, _, called := strings.Cut(string(command), "\x00")
		if err != nil || !called {
			continue // a zombie was called nothing
		}
		found = append(found, process{pid, filepath.Base(program)})
	}
	return found, nil
}

// parentOf reads a line of /proc/pid/stat (proc_pid_stat(5)). A program's name,
// in parentheses, may have anything in it.
func parentOf(stat string) (pid, parent int, err error) {
	end := strings.LastIndexByte(stat, ')')
	if end < 0 {
		return 0, 0, fmt.Errorf("a process is %q", stat)
	}
	var state string
	_, err = fmt.Sscan(stat, &pid)
	if err == nil {
		_, err = fmt.Sscan(stat[end+1:], &state, &parent)
	}
	return pid, parent, err
}

// resident is the resident memory of the process in megabytes, 0 if it has ended.
func (p process) resident() float64 {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(content))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseFloat(fields[1], 64)
	if err != nil {
		return 0
	}
	return pages * float64(os.Getpagesize()) / 1e6
}
