package integration

import (
	"context"
	"maps"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/sds"
	"github.com/osm-edge/osm/test/testkit"
	"github.com/osm-edge/osm/test/tokens"
)

// ofDeletedPod returns a token of a pod that was injected and is gone.
func ofDeletedPod(t *testing.T, maker *tokens.Maker, client kubernetes.Interface, namespace string) string {
	t.Helper()
	pods := client.CoreV1().Pods(namespace)
	pod, err := pods.Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "short-lived"},
		Spec:       corev1.PodSpec{ServiceAccountName: "bookbuyer", Containers: []corev1.Container{{Name: "app", Image: "example/app:1"}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	token := maker.Of(t, pod, sds.Audience)
	now := int64(0)
	if err := pods.Delete(t.Context(), pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &now}); err != nil {
		t.Fatal(err)
	}
	err = wait.PollUntilContextCancel(testkit.Context(t, 30*time.Second), 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		_, err := pods.Get(ctx, pod.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		return false, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// ofOtherAccount returns the token with another service account than its pod's.
func ofOtherAccount(t *testing.T, maker *tokens.Maker, token string) string {
	return maker.Change(t, token, func(claims map[string]any) {
		claims["sub"] = "system:serviceaccount:bookbuyer:admin"
		bound := maps.Clone(claims["kubernetes.io"].(map[string]any))
		bound["serviceaccount"] = map[string]any{"name": "admin", "uid": "9b7c5d6e-0000-4000-8000-000000000000"}
		claims["kubernetes.io"] = bound
	})
}
