package integration

import (
	"bytes"
	"errors"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
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
