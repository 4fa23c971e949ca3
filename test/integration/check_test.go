//go:build cli

package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/check"
	"github.com/osm-edge/osm/test/cluster"
)

// osm runs the command line tool, and returns what it printed and its exit code.
func osm(t *testing.T, kubeconfig string, args ...string) (out, problem string, code int) {
	t.Helper()
	command := exec.CommandContext(within(t, 3*time.Minute), filepath.Join(bin, "osm"), append(args, "--kubeconfig", kubeconfig)...)
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
func checked(t *testing.T, kubeconfig string) (check.Report, int) {
	t.Helper()
	out, problem, code := osm(t, kubeconfig, "check", "-o", "json")
	var report check.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("osm check: %v: %s%s", err, out, problem)
	}
	return report, code
}

// patient is a mesh whose faults are found, and mended.
type patient struct {
	t          *testing.T
	cluster    *cluster.Cluster
	client     kubernetes.Interface
	own        dynamic.Interface
	kubeconfig string // that osm check is given
}

func TestCheckFindsEachPlantedFault(t *testing.T) {
	t.Parallel()
	c, client := startMesh(t, nil)
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
	p := patient{t, c, client, own, c.Kubeconfig()}
	p.recovers()
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			p := p
			p.t = t
			mend := fault.plant(&p)
			p.shows(fault)
			p.kubeconfig = c.Kubeconfig()
			mend()
			p.recovers()
		})
	}
}

// shows waits until the fault is found, with its mend and the exit code of its
// severity.
func (p *patient) shows(f fault) {
	p.t.Helper()
	var last check.Report
	p.wait("the finding", func() bool {
		report, code := checked(p.t, p.kubeconfig)
		if want := map[bool]int{true: 2}[report.Errors > 0]; code != want {
			p.t.Fatalf("exit code %d with %d errors", code, report.Errors)
		}
		last = report
		for _, c := range report.Checks {
			for _, found := range c.Findings {
				if c.Name == f.check && found.Severity == f.severity && strings.Contains(found.Object, f.object) &&
					strings.Contains(found.Problem, f.problem) && strings.Contains(found.Mend, f.mend) {
					p.t.Logf("%s: %s: %s\n\tto mend it: %s", found.Severity, found.Object, found.Problem, found.Mend)
					return true
				}
			}
		}
		return false
	}, &last)
}

// recovers waits until nothing is wrong.
func (p *patient) recovers() {
	p.t.Helper()
	var last check.Report
	p.wait("nothing is wrong", func() bool {
		var code int
		last, code = checked(p.t, p.kubeconfig)
		return code == 0 && last.Errors+last.Warnings == 0
	}, &last)
}

func (p *patient) wait(what string, done func() bool, last *check.Report) {
	p.t.Helper()
	condition := func(context.Context) (bool, error) { return done(), nil }
	if err := wait.PollUntilContextCancel(within(p.t, 90*time.Second), 300*time.Millisecond, true, condition); err != nil {
		text, _ := json.MarshalIndent(last, "", " ")
		p.t.Fatalf("%s: %v; the last report is\n%s", what, err, text)
	}
}
