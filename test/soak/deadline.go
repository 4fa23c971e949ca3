package main

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/osm-edge/osm/test/mesh"
)

const (
	// deadline is how long the mesh waits for a mute proxy. It is more than the
	// proxies of an osm-controller that is cut off take to come to another.
	deadline = time.Minute
	// ackTimeout is a little less: the mesh began to wait before it was seen to.
	ackTimeout = deadline - 2*time.Second
)

// setDeadline has the mesh wait no longer than the deadline.
func (s *soak) setDeadline(ctx context.Context) error {
	patch := fmt.Appendf(nil, `[{"op":"add","path":"/spec/template/spec/containers/0/args/-","value":"--rotation-deadline=%s"}]`, deadline)
	_, err := s.client.AppsV1().Deployments(mesh.Namespace).Patch(ctx, "osm-controller", types.JSONPatchType, patch, metav1.PatchOptions{})
	if err != nil {
		return err
	}
	return mesh.WaitRollout(ctx, s.client, mesh.Namespace, "osm-controller")
}
