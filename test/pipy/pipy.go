// Package pipy owns which Pipy tests run, if any: the binary that the environment
// variable PIPY names or, where a container engine would run it, the image that
// PIPY_IMAGE names. What a Pipy is run for, and with what, it does not know.
package pipy

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The environment variables' names.
const (
	Variable      = "PIPY"
	ImageVariable = "PIPY_IMAGE"
)

// Binary returns the path of the Pipy to run, "" if none is named. Tests run
// the reference sidecar alone then.
func Binary() (string, error) {
	named := os.Getenv(Variable)
	if named == "" {
		return "", nil
	}
	path, err := exec.LookPath(named)
	if err != nil {
		return "", fmt.Errorf("%s=%s names no Pipy: %w", Variable, named, err)
	}
	return filepath.Abs(path)
}

// Image returns the path of an archive with a whole image of Pipy, "" if none is
// named. Published images may have a Pipy that needs the libraries beside it.
func Image() (string, error) {
	named := os.Getenv(ImageVariable)
	if named == "" {
		return "", nil
	}
	if _, err := os.Stat(named); err != nil {
		return "", fmt.Errorf("%s=%s names no archive of an image: %w", ImageVariable, named, err)
	}
	return filepath.Abs(named)
}

// Version is what the binary says of itself, such as 1.5.18. Now and then a Pipy
// stands still after it has said that: it is ended then.
func Version(ctx context.Context, binary string) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	command := exec.CommandContext(ctx, binary, "--version")
	out, err := command.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := command.Start(); err != nil {
		return "", fmt.Errorf("%s --version: %w", binary, err)
	}
	found := ""
	for lines := bufio.NewScanner(out); found == "" && lines.Scan(); {
		if key, value, _ := strings.Cut(lines.Text(), ":"); strings.TrimSpace(key) == "Version" {
			found = strings.TrimSpace(value)
		}
	}
	cancel()
	err = command.Wait() // by that, if it has not ended
	if found == "" {
		return "", fmt.Errorf("%s is no Pipy: --version names no version: %w", binary, err)
	}
	return found, nil
}
