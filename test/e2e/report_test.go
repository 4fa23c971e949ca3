//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	reportTimeout = 30 * time.Second
	logLines      = 40
)

// report writes what explains a failure: pods, events, the ends of all
// containers' logs, and once more, where it is found, the failure.
func (tr *trial) report(w io.Writer) {
	ctx, cancel := context.WithTimeout(context.Background(), reportTimeout)
	defer cancel()
	for _, args := range [][]string{
		{"get", "pods", "-A", "-o", "wide"},
		{"get", "events", "-A", "--sort-by=.metadata.creationTimestamp"},
	} {
		out, err := tr.kubectlCommand(ctx, args...).CombinedOutput()
		fmt.Fprintf(w, "\n--- kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	logs, err := filepath.Glob(filepath.Join(tr.node.LogDir(), "pods", "*", "*", "*.log"))
	if err != nil {
		fmt.Fprintln(w, err)
	}
	for _, path := range logs {
		content, err := os.ReadFile(path)
		pod, container := filepath.Base(filepath.Dir(filepath.Dir(path))), filepath.Base(filepath.Dir(path))
		lines := strings.Split(strings.TrimSpace(string(content)), "\n")
		fmt.Fprintf(w, "\n--- the end of the log of %s, container %s: %v\n%s\n", pod, container, err, strings.Join(lines[max(0, len(lines)-logLines):], "\n"))
	}
	fmt.Fprintf(w, "\n--- the failure: %v\n", tr.failure)
}
