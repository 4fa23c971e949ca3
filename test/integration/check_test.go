//go:build cli

package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/test/cluster"
	"github.com/osm-edge/osm/test/testkit"
)

// osm runs the command line tool, and returns what it printed and its exit code.
func osm(t *testing.T, kubeconfig string, args ...string) (out, problem string, code int) {
	t.Helper()
	command := exec.CommandContext(testkit.Context(t, 3*time.Minute), filepath.Join(bin, "osm"), append(args, "--kubeconfig", kubeconfig)...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return stdout.String(), stderr.String(), exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return stdout.String(), stderr.String(), 0
}

// checked runs osm check.
func checked(t *testing.T, kubeconfig string) (checkReport, int) {
	t.Helper()
	out, problem, code := osm(t, kubeconfig, "check", "-o", "json")
	var report checkReport
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("osm check: %v: %s%s", err, out, problem)
	}
	return report, code
}

// patient is a mesh whose faults are found, and fixed.
type patient struct {
	t          *testing.T
	cluster    *cluster.Cluster
	client     kubernetes.Interface
	own        dynamic.Interface
	kubeconfig string // that osm check is given
	files      string // the directory of those that an operator has
}

// commandOf is the command that a hint ends in.
var commandOf = regexp.MustCompile(`(?:^|: )((?:kubectl|osm) .+)$`)

// follows does what a hint says.
func (p *patient) follows(hint string) {
	p.t.Helper()
	found := commandOf.FindStringSubmatch(hint)
	if found == nil {
		p.t.Fatalf("%q ends in no command", hint)
	}
	command := exec.CommandContext(testkit.Context(p.t, 3*time.Minute), "bash", "-euo", "pipefail", "-c", found[1])
	command.Dir = p.files
	command.Env = append(os.Environ(), "KUBECONFIG="+p.cluster.Kubeconfig(), "HOME="+p.t.TempDir(), "PATH="+bin+":"+p.cluster.BinDir()+":"+os.Getenv("PATH"))
	if out, err := command.CombinedOutput(); err != nil {
		p.t.Fatalf("%s: %v\n%s", found[1], err, out)
	}
}

func TestCheckFindsEachPlantedFault(t *testing.T) {
	t.Parallel()
	c, client := startCluster(t)
	(&lifecycle{c, client}).osm(t, "install", patientLimit)
	defer func() {
		if t.Failed() {
			showLogs(t, c)
		}
	}()
	own, err := dynamic.NewForConfig(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	deploy(t, client, "books", "bookbuyer")
	p := patient{t: t, cluster: c, client: client, own: own, kubeconfig: c.Kubeconfig(), files: t.TempDir()}
	p.recovers()
	for key, value := range getSecret(t, client, rootSecret).Data { // as a backup
		if err := os.WriteFile(filepath.Join(p.files, key), value, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, fault := range faults {
		ended := t.Run(fault.name, func(t *testing.T) {
			p := p
			p.t = t
			byHand := fault.plant(&p)
			found := p.shows(fault)
			p.kubeconfig = c.Kubeconfig()
			if reflect.ValueOf(byHand).Pointer() == reflect.ValueOf(byHint).Pointer() {
				p.follows(found.Fix)
			} else {
				byHand()
			}
			p.recovers()
		})
		if !ended {
			return // what it left is in the way of the others
		}
	}
}

// shows waits until the fault is found, with its fix and the exit code of its
// severity.
func (p *patient) shows(f fault) (seen checkFinding) {
	p.t.Helper()
	var last checkReport
	p.wait("the finding", func() bool {
		report, code := checked(p.t, p.kubeconfig)
		if want := map[bool]int{true: 2}[report.Errors > 0]; code != want {
			p.t.Fatalf("exit code %d with %d errors", code, report.Errors)
		}
		last = report
		for _, c := range report.Checks {
			for _, found := range c.Findings {
				if c.Name == f.check && found.Severity == f.severity && strings.Contains(found.Object, f.object) &&
					strings.Contains(found.Problem, f.problem) && strings.Contains(found.Fix, f.fix) {
					p.t.Logf("%s: %s: %s\n\tto fix it: %s", found.Severity, found.Object, found.Problem, found.Fix)
					seen = found
					return true
				}
			}
		}
		return false
	}, &last)
	return seen
}

// recovers waits until nothing is wrong.
func (p *patient) recovers() {
	p.t.Helper()
	var last checkReport
	p.wait("nothing is wrong", func() bool {
		var code int
		last, code = checked(p.t, p.kubeconfig)
		return code == 0 && last.Errors+last.Warnings == 0
	}, &last)
}

func (p *patient) wait(what string, done func() bool, last *checkReport) {
	p.t.Helper()
	condition := func(context.Context) (bool, error) { return done(), nil }
	if err := wait.PollUntilContextCancel(testkit.Context(p.t, 90*time.Second), 300*time.Millisecond, true, condition); err != nil {
		text, _ := json.MarshalIndent(last, "", " ")
		p.t.Fatalf("%s: %v; the last report is\n%s", what, err, text)
	}
}
