package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/osm-edge/osm/test/mesh"
)

const (
	// deadline is how long the mesh waits for a mute proxy in the second half.
	deadline = time.Minute
	// patience is a little less: the mesh began to wait before it was seen to.
	patience = deadline - 2*time.Second
)

// hasten has the mesh wait no longer than the deadline.
func (s *soak) hasten(ctx context.Context) error {
	const flag = "rotation-deadline"
	help, _ := exec.CommandContext(ctx, filepath.Join(s.bin, "osm-controller"), "-h").CombinedOutput() // it exits with 2
	if !strings.Contains(string(help), flag) {
		return nil
	}
	patch := fmt.Appendf(nil, `[{"op":"add","path":"/spec/template/spec/containers/0/args/-","value":"--%s=%s"}]`, flag, deadline)
	_, err := s.client.AppsV1().Deployments(mesh.Namespace).Patch(ctx, "osm-controller", types.JSONPatchType, patch, metav1.PatchOptions{})
	if err != nil {
		return err
	}
	return mesh.WaitRollout(ctx, s.client, mesh.Namespace, "osm-controller")
}
