//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/test/mesh"
)

// stopInjector has pods start while no injector runs, and after.
func (tr *trial) stopInjector(ctx context.Context) error {
	scale := func(n int) error {
		return tr.kubectl(ctx, "scale", "deploy/osm-injector", fmt.Sprintf("--replicas=%d", n), "-n", mesh.Namespace)
	}
	if err := scale(0); err != nil {
		return err
	}
	if err := tr.kubectl(ctx, "wait", "pod", "-l", "app=osm-injector", "--for=delete", "--timeout=1m", "-n", mesh.Namespace); err != nil {
		return err
	}
	err := tr.create(ctx, "bookbuyer", "refused")
	if err == nil || !strings.Contains(err.Error(), `failed calling webhook "osm-inject.k8s.io"`) || !strings.Contains(err.Error(), "osm-injector") {
		return fmt.Errorf("a pod of the mesh without an injector: %v, want a refusal that names the webhook and its Service", err)
	}
	for _, namespace := range []string{"outside", metav1.NamespaceSystem} {
		if err := tr.create(ctx, namespace, "goes-on"); err != nil {
			return err
		}
		if err := tr.end(ctx, namespace, "goes-on"); err != nil {
			return err
		}
	}
	if err := scale(1); err != nil {
		return err
	}
	if err := mesh.WaitRollout(ctx, tr.client, mesh.Namespace, "osm-injector"); err != nil {
		return err
	}
	if err := await(ctx, func(ctx context.Context) error { return tr.create(ctx, "bookbuyer", "recovered") }); err != nil {
		return err
	}
	return tr.end(ctx, "bookbuyer", "recovered")
}

// create creates a pod that belongs to nothing.
func (tr *trial) create(ctx context.Context, namespace, name string) error {
	_, err := tr.client.CoreV1().Pods(namespace).Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{app("app", "wait")}},
	}, metav1.CreateOptions{})
	return err
}

// end removes the pod once it is ready.
func (tr *trial) end(ctx context.Context, namespace, name string) error {
	if err := tr.kubectl(ctx, "wait", "pod/"+name, "--for=condition=Ready", "--timeout=1m", "-n", namespace); err != nil {
		return err
	}
	return tr.client.CoreV1().Pods(namespace).Delete(ctx, name, metav1.DeleteOptions{})
}
