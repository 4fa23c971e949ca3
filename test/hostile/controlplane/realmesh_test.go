//go:build hostile

package controlplane

import (
	"context"
	"fmt"
	"os/exec"
	"testing"
	"time"

	secretv3 "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"google.golang.org/grpc"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/test/cluster"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/testkit"
	"github.com/osm-edge/osm/test/tokens"
)

// realMesh is the mesh's own binaries, installed with the chart on a real API
// server. Namespace shop belongs to the mesh.
type realMesh struct {
	cluster *cluster.Cluster
	client  kubernetes.Interface
	sds     secretv3.SecretDiscoveryServiceClient
	tokens  *tokens.Maker
}

func TestAMeshOnARealAPIServer(t *testing.T) {
	m := startRealMesh(t)
	t.Run("attestation", func(t *testing.T) { attackAttestation(t, m) })
	t.Run("injector", func(t *testing.T) { attackInjector(t, m) })
}

func startRealMesh(t *testing.T) *realMesh {
	t.Helper()
	bin := t.TempDir()
	arguments := []string{"build", "-o", bin}
	for _, name := range mesh.Components {
		arguments = append(arguments, "github.com/osm-edge/osm/cmd/"+name)
	}
	if out, err := exec.CommandContext(t.Context(), "go", arguments...).CombinedOutput(); err != nil {
		t.Fatalf("build the mesh: %v\n%s", err, out)
	}
	c := must[*cluster.Cluster](t)(cluster.Start(t.Context(), cluster.Options{Images: mesh.Images(bin)}))
	t.Cleanup(func() { check(t, c.Stop()) })
	m := &realMesh{cluster: c, client: must[kubernetes.Interface](t)(kubernetes.NewForConfig(c.Config())), tokens: tokens.New(t, c)}
	ctx := testkit.Context(t, 2*time.Minute)
	check(t, mesh.Install(ctx, c.Config(), nil))
	for _, namespace := range []string{"shop", "bank"} {
		check(t, mesh.Join(ctx, m.client, namespace))
		m.account(t, namespace, "buyer")
	}
	m.account(t, "shop", "seller")
	var conn *grpc.ClientConn
	m.await(t, "the roots of namespace shop", func(ctx context.Context) (err error) {
		conn, err = mesh.DialSDS(ctx, c, m.client, "shop")
		return err
	})
	t.Cleanup(func() { check(t, conn.Close()) })
	m.sds = secretv3.NewSecretDiscoveryServiceClient(conn)
	return m
}

// await waits until done returns nil.
func (m *realMesh) await(t *testing.T, what string, done func(context.Context) error) {
	t.Helper()
	var last error
	err := wait.PollUntilContextCancel(testkit.Context(t, 30*time.Second), 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		last = done(ctx)
		return last == nil, nil
	})
	if err != nil {
		t.Fatalf("waiting for %s: %v", what, last)
	}
}

// account creates a service account.
func (m *realMesh) account(t *testing.T, namespace, name string) {
	t.Helper()
	_, err := m.client.CoreV1().ServiceAccounts(namespace).Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	check(t, err)
}

// pod creates a pod of a service account, on the node if it has a name.
func (m *realMesh) pod(t *testing.T, namespace, name, account, node string) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       corev1.PodSpec{ServiceAccountName: account, NodeName: node, Containers: []corev1.Container{{Name: "app", Image: "example/app:1"}}},
	}
	return must[*corev1.Pod](t)(m.client.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{}))
}

// end deletes a pod, with a second of grace, and waits until it is gone.
func (m *realMesh) end(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	check(t, m.client.CoreV1().Pods(pod.Namespace).Delete(t.Context(), pod.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64(1))}))
	m.await(t, "the end of pod "+pod.Name, func(ctx context.Context) error {
		left, err := m.client.CoreV1().Pods(pod.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + pod.Name})
		if err == nil && len(left.Items) > 0 {
			err = fmt.Errorf("it is there")
		}
		return err
	})
}
