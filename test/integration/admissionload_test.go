package integration

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/osm-edge/osm/test/cluster"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/testkit"
)

const (
	podsPerSecond = 200
	podCreators   = 32
)

func TestNoPodIsRejectedWhileRootsAreReplaced(t *testing.T) {
	two := map[string]any{"replicaCount": 2}
	injector := map[string]any{"replicaCount": 2, "webhookTimeoutSeconds": 20} // a starved machine rejects nothing
	c, client := startMesh(t, map[string]any{"osm": map[string]any{"injector": injector, "osmBootstrap": two}})
	defer func() {
		if t.Failed() {
			showLogs(t, c)
		}
	}()
	namespace := createNamespace(t, client, map[string]string{monitored: mesh.Name}, "")
	load := startPodLoad(t, c, namespace)

	deleteSecret(t, client, rootSecret)
	first := awaitServing(t, client, nil)
	own := newPair(t, nil)
	putRoot(t, client, pair{own.cert, []byte("garbage")})
	testkit.Condition(t, "a root without its key is refused", func(context.Context) (bool, error) {
		return countEvents(t, client, "RootRefused") > 0, nil
	})
	putRoot(t, client, own)
	if second := awaitServing(t, client, own.cert); bytes.Equal(first, second) {
		t.Error("the operator's root is not followed")
	}
	load.end(t)
}

// putRoot replaces the root as an operator does that applies the Secret.
func putRoot(t *testing.T, client kubernetes.Interface, root pair) {
	t.Helper()
	secret := getSecret(t, client, rootSecret)
	secret.Data = map[string][]byte{"ca.crt": root.cert, "private.key": root.key}
	if _, err := client.CoreV1().Secrets(mesh.Namespace).Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// awaitServing waits until all serving certificates are of the root's Secret,
// and returns that root. It is the wanted one, if any.
func awaitServing(t *testing.T, client kubernetes.Interface, want []byte) []byte {
	t.Helper()
	var root []byte
	// Replicas that heard late of a root delay it: caBundles have to settle.
	err := wait.PollUntilContextCancel(testkit.Context(t, 2*time.Minute), 200*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		secret, err := client.CoreV1().Secrets(mesh.Namespace).Get(ctx, rootSecret, metav1.GetOptions{})
		if err != nil || want != nil && !bytes.Equal(secret.Data["ca.crt"], want) {
			return false, nil // it is about to be made
		}
		root = secret.Data["ca.crt"]
		for _, service := range []string{"osm-injector", "osm-validator", "osm-bootstrap"} {
			leaf := parseCertificate(t, getSecret(t, client, service+"-tls").Data[corev1.TLSCertKey])
			if leaf.CheckSignatureFrom(parseCertificate(t, root)) != nil {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		t.Fatalf("serving certificates of the root: %v", err)
	}
	return root
}

// podLoad asks the API server to create pods, all the time.
type podLoad struct {
	cancel  context.CancelFunc
	group   sync.WaitGroup
	started time.Time

	mu       sync.Mutex
	answered int
	bad      map[string]int // by what was wrong
}

func startPodLoad(t *testing.T, c *cluster.Cluster, namespace string) *podLoad {
	t.Helper()
	config := rest.CopyConfig(c.Config())
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	l := &podLoad{cancel: cancel, started: time.Now(), bad: map[string]int{}}
	due := make(chan struct{}, podCreators)
	l.group.Go(func() { schedulePods(ctx, due) })
	for range podCreators {
		l.group.Go(func() {
			for range due {
				l.create(context.WithoutCancel(ctx), client, namespace)
			}
		})
	}
	t.Cleanup(func() { l.cancel(); l.group.Wait() })
	return l
}

// schedulePods lets what is late catch up.
func schedulePods(ctx context.Context, due chan<- struct{}) {
	defer close(due)
	for next := time.Now(); ; next = next.Add(time.Second / podsPerSecond) {
		time.Sleep(time.Until(next))
		select {
		case due <- struct{}{}:
		case <-ctx.Done():
			return
		}
	}
}

func (l *podLoad) create(ctx context.Context, client kubernetes.Interface, namespace string) {
	pod, err := client.CoreV1().Pods(namespace).Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "app-"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "example/app:1"}}},
	}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answered++
	switch {
	case err != nil:
		l.bad[err.Error()]++
	case !hasSidecar(pod):
		l.bad["it has no sidecar"]++
	}
}

// end fails if any pod was not answered as it has to be.
func (l *podLoad) end(t *testing.T) {
	t.Helper()
	l.cancel()
	l.group.Wait()
	seconds := time.Since(l.started).Seconds()
	t.Logf("%d pods in %.0f s, %.0f a second", l.answered, seconds, float64(l.answered)/seconds)
	for problem, n := range l.bad {
		t.Errorf("%d pods: %s", n, problem)
	}
	if l.answered < 1000 {
		t.Errorf("%d pods are too few to tell", l.answered)
	}
}
