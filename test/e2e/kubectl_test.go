//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// kubectl runs the real one. What it prints matters only when it fails.
func (tr *trial) kubectl(ctx context.Context, args ...string) error {
	if out, err := tr.kubectlCommand(ctx, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("kubectl %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

func (tr *trial) kubectlCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(tr.node.BinDir(), "kubectl"), args...)
	cmd.Env = []string{"KUBECONFIG=" + tr.node.Kubeconfig(), "HOME=" + tr.home}
	return cmd
}
