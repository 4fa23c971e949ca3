//go:build e2e

package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"k8s.io/client-go/kubernetes"
)

func TestAFullNodeRunsRealPodsAndLeavesNothing(t *testing.T) {
	requireRoot(t)
	before := observe(t)
	n := startOwnNode(t)
	client, err := kubernetes.NewForConfig(n.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Run("running", func(t *testing.T) {
		for sentence, test := range map[string]func(*testing.T, *Node, kubernetes.Interface){
			"a Service is reached by its address and by its name":          reachService,
			"a pod's volume holds its token, its labels and a ConfigMap":   readVolume,
			"a ConfigMap that is changed changes in the pod's volume":      followConfigMap,
			"a sidecar is ready before the containers and ends after them": runSidecar,
		} {
			t.Run(sentence, func(t *testing.T) {
				t.Parallel()
				test(t, n, client)
			})
		}
	})
	family := descendants(t)
	if len(family) < 10 {
		t.Errorf("a node of few processes: %v", family)
	}
	if err := errors.Join(n.Stop(), family.left()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(n.plan.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("directory %s is left: %v", n.plan.dir, err)
	}
	before.compare(t)
}

func TestAFullNodeEndsWithTheProcessThatStartedIt(t *testing.T) {
	requireRoot(t)
	const variable = "CLUSTER_TEST_STARTS_NODE"
	if os.Getenv(variable) != "" {
		startOwnNode(t)
		fmt.Println("started")
		select {} // until it is killed
	}
	before := observe(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	other := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$")
	other.Env = append(os.Environ(), variable+"=1")
	stdout, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "started\n" {
		t.Fatalf("the process that starts a node says %q, %v", line, err)
	}
	family := descendants(t)
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait() // it was killed
	if err := await(t.Context(), "the end of all processes", nil, func(context.Context) error { return family.left() }); err != nil {
		t.Error(err)
	}
	if err := removeLeftovers(); err != nil { // as the next cluster does
		t.Error(err)
	}
	before.compare(t)
}

func requireRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a full node needs root, which CI has")
	}
}

func startOwnNode(t *testing.T) *Node {
	t.Helper()
	n, err := StartNode(t.Context(), NodeOptions{Images: []string{packApp(t)}, Log: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Stop(); err != nil {
			t.Error(err)
		}
	})
	return n
}

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

// machine is what a node could leave behind: mounts, interfaces, control groups with its name's beginning, and files.
type machine []string

func observe(t *testing.T) machine {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	seen := strings.Split(string(mounts), "\n")
	for _, pattern := range []string{
		"/sys/class/net/*", "/sys/fs/cgroup/osm-*", "/sys/fs/cgroup/*/osm-*", "/run/netns/*", "/opt/*", "/etc/cni/*", "/usr/libexec/*",
		filepath.Join(os.TempDir(), dirPattern),
	} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, paths...)
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
