package cluster

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// act tells the API what is news of the pod: its status and, after the last, that nothing of it is left.
func (p *podLife) act(ctx context.Context, end func()) error {
	if p.current == nil {
		return nil
	}
	deleted := p.current.DeletionTimestamp != nil
	if deleted {
		p.grace.Store(int64(deletionGrace(p.current)))
		end()
	}
	if err := p.report(ctx); err != nil || !deleted || !p.finished {
		return err
	}
	return p.node.client.CoreV1().Pods(p.pod.Namespace).Delete(ctx, p.pod.Name, metav1.DeleteOptions{
		GracePeriodSeconds: new(int64(0)), Preconditions: metav1.NewUIDPreconditions(string(p.pod.UID)),
	})
}

// report writes the pod's status if it has changed, or the node controller has written another.
func (p *podLife) report(ctx context.Context) error {
	status := p.status(metav1.Now())
	if equality.Semantic.DeepEqual(status, p.sent) && (isReady(p.current.Status) || !isReady(status)) {
		return nil
	}
	// The status belongs to others too, such as the scheduler, whose conditions this kind of patch leaves alone.
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": p.pod.UID}, "status": status})
	if err != nil {
		return err
	}
	_, err = p.node.client.CoreV1().Pods(p.pod.Namespace).Patch(ctx, p.pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	if err == nil {
		p.sent = status
	}
	return err
}

func isReady(status corev1.PodStatus) bool {
	return slices.ContainsFunc(status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

func deletionGrace(pod *corev1.Pod) time.Duration {
	if seconds := pod.DeletionGracePeriodSeconds; seconds != nil {
		return time.Duration(*seconds) * time.Second
	}
	return 0
}
