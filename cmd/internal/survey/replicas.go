package survey

import (
	"context"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/cmd/internal/check"
)

// replicaTimeout is short, because the answer is not needed.
const replicaTimeout = 3 * time.Second

// replicas asks each pod of the control plane how it is.
func (s *Survey) replicas(ctx context.Context, snapshot *check.Snapshot) error {
	options := metav1.ListOptions{LabelSelector: "app in (" + strings.Join(check.Components[:], ",") + ")"}
	list, err := s.Kube.CoreV1().Pods(s.Namespace).List(ctx, options)
	if err != nil {
		return err
	}
	var running []corev1.Pod
	for _, pod := range list.Items {
		if pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil {
			running = append(running, pod)
		}
	}
	snapshot.Replicas = make([]check.Replica, len(running))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, pod := range running {
		group.Go(func() error {
			snapshot.Replicas[i] = s.replica(ctx, pod.Name)
			return nil
		})
	}
	return group.Wait()
}

// replica knows no more than its name of a pod that does not answer: its
// Deployment tells whether it is ready.
func (s *Survey) replica(ctx context.Context, pod string) check.Replica {
	ctx, cancel := context.WithTimeout(ctx, replicaTimeout)
	defer cancel()
	body, err := s.Kube.CoreV1().RESTClient().Get().Namespace(s.Namespace).Resource("pods").Name(pod+":9091").
		SubResource("proxy", "readyz").MaxRetries(0).Do(ctx).Raw()
	replica := check.Replica{Pod: pod}
	text := strings.TrimSpace(string(body))
	if text == "" || err != nil && !plain(text) {
		return replica
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if warning, ok := strings.CutPrefix(line, "warning: "); ok {
			replica.Warnings = append(replica.Warnings, warning)
		} else if err != nil && replica.NotReady == "" {
			replica.NotReady = line
		}
	}
	return replica
}

// plain tells the answer of a replica from that of an API server that did not
// reach it: an object, as JSON or protobuf.
func plain(text string) bool {
	return !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "k8s\x00")
}
