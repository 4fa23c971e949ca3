//go:build cli

package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/test/testkit"
)

const manyPods = 5000

// TestCheckOfManyPods tells how long it takes, which is to be less than 5 seconds
// on a machine that does nothing else.
func TestCheckOfManyPods(t *testing.T) {
	c, client := startMesh(t, nil)
	createMany(t, client)
	best := time.Hour
	for range 3 {
		begin := time.Now()
		out, problem, code := osm(t, c.Kubeconfig(), "check")
		best = min(best, time.Since(begin))
		if code != 0 || !strings.Contains(out, "5000 pods with a sidecar") {
			t.Fatalf("exit code %d: %s%s", code, out, problem)
		}
	}
	t.Logf("osm check of %d pods took %s", manyPods, best.Round(10*time.Millisecond))
}

// createMany creates pods as the webhook would have made them, which no node
// runs, in namespaces that join the mesh when they are there.
func createMany(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	group, ctx := errgroup.WithContext(testkit.Context(t, 10*time.Minute))
	group.SetLimit(16)
	var all []string
	for range 10 {
		namespace := createNamespace(t, client, nil, "")
		all = append(all, namespace)
		for i := range manyPods / 10 {
			group.Go(func() error { return createRunning(ctx, client, namespace, fmt.Sprintf("app-%d", i)) })
		}
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	join := fmt.Appendf(nil, `{"metadata":{"labels":{%q:"osm"}}}`, monitored)
	for _, namespace := range all {
		if _, err := client.CoreV1().Namespaces().Patch(t.Context(), namespace, "application/merge-patch+json", join, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, namespace := range all {
		testkit.Condition(t, "the roots", func(ctx context.Context) (bool, error) {
			_, err := client.CoreV1().ConfigMaps(namespace).Get(ctx, rotation.ConfigMapName, metav1.GetOptions{})
			return err == nil, nil
		})
	}
}

func createRunning(ctx context.Context, client kubernetes.Interface, namespace, name string) error {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name, Labels: map[string]string{injector.ProxyLabel: name, "app": name},
			Annotations: map[string]string{injector.BootstrapAnnotation: strings.Repeat("a bootstrap config ", 100)},
		},
		Spec: corev1.PodSpec{SchedulerName: "none", Containers: []corev1.Container{
			{Name: "app", Image: "example/app:1"}, {Name: "sidecar", Image: "example/sidecar:1"},
		}},
	}
	_, err := client.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{})
	return err
}
