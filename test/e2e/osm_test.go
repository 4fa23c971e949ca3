//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// osm runs the command line tool, and returns what it prints.
func (tr *trial) osm(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, tr.cli, args...)
	cmd.Env = []string{"KUBECONFIG=" + tr.node.Kubeconfig(), "HOME=" + tr.home}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("osm %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// checkMesh has osm look for what is wrong. Warnings do not count.
func (tr *trial) checkMesh(ctx context.Context) error {
	return await(ctx, func(ctx context.Context) error {
		_, err := tr.osm(ctx, "check")
		return err
	})
}
