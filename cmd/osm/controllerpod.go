package main

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const controllerName = "osm-controller"

// findController returns the pod of osm-controller that leads, or else one that
// is ready, or else one that runs: what is wrong with that one, it tells.
func findController(ctx context.Context, client kubernetes.Interface, namespace string) (*corev1.Pod, error) {
	pods, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=" + controllerName})
	if err != nil {
		return nil, fmt.Errorf("find osm-controller: %w", err)
	}
	leader, err := leaderOf(ctx, client, namespace)
	if err != nil {
		return nil, err
	}
	running := slices.DeleteFunc(pods.Items, func(pod corev1.Pod) bool {
		return pod.Status.Phase != corev1.PodRunning || pod.DeletionTimestamp != nil
	})
	if len(running) == 0 {
		return nil, fmt.Errorf("no osm-controller runs in namespace %q, of %d pods: install the mesh, see why its pods do not start, or name its namespace with --osm-namespace",
			namespace, len(pods.Items))
	}
	rank := func(pod corev1.Pod) int {
		switch {
		case pod.Name == leader && isReady(pod):
			return 0
		case isReady(pod):
			return 1
		}
		return 2
	}
	slices.SortStableFunc(running, func(a, b corev1.Pod) int { return rank(a) - rank(b) })
	return &running[0], nil
}

// leaderOf returns the name of the replica that holds the Lease; empty if none
// does, or if it may not be told.
func leaderOf(ctx context.Context, client kubernetes.Interface, namespace string) (string, error) {
	lease, err := client.CoordinationV1().Leases(namespace).Get(ctx, controllerName, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err) || apierrors.IsForbidden(err):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("find who leads: %w", err)
	case lease.Spec.HolderIdentity == nil:
		return "", nil
	}
	return *lease.Spec.HolderIdentity, nil
}

func isReady(pod corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}
