//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/test/mesh"
)

// placePlainly has sidecars be plain containers, as where the kubelet knows no
// others. Those that are native go on.
func (tr *trial) placePlainly(ctx context.Context) error {
	old, err := mesh.Pod(ctx, tr.client, mesh.Namespace, "osm-injector")
	if err != nil {
		return err
	}
	if _, err := tr.osm(ctx, "upgrade", "--set", "osm.injector.sidecarPlacement=container"); err != nil {
		return err
	}
	if err := tr.kubectl(ctx, "wait", "pod/"+old.Name, "--for=delete", "--timeout=1m", "-n", mesh.Namespace); err != nil {
		return err
	}
	if err := mesh.Restart(ctx, tr.client, "bookstore", "bookstore-v2"); err != nil {
		return err
	}
	if tr.store, err = mesh.Pod(ctx, tr.client, "bookstore", "bookstore-v2"); err != nil {
		return err
	}
	job, err := tr.complete(ctx, "works", corev1.PodSpec{Containers: []corev1.Container{app("works", "work", storeURL, "URI="+buyerID)}})
	if err != nil {
		return err
	}
	return errors.Join(checkPlain(tr.store), checkPlain(job), tr.call(ctx))
}

func checkPlain(pod *corev1.Pod) error {
	last := len(pod.Spec.InitContainers) - 1
	if last < 0 || pod.Spec.InitContainers[last].Name != "osm-init" || pod.Spec.Containers[0].Name != "sidecar" {
		return fmt.Errorf("pod %s/%s does not end its initialisation with osm-init and begin with its sidecar", pod.Namespace, pod.Name)
	}
	return nil
}
