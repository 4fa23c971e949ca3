package cluster_test

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/osm-edge/osm/test/testkit"
)

// TestANodeThatWasTakenForDeadIsReadyAgain does what the node controller does
// after the API server was away.
func TestANodeThatWasTakenForDeadIsReadyAgain(t *testing.T) {
	t.Parallel()
	s := newSpace(t)
	s.deploy(t, 1, server())
	s.awaitRollout(t)
	nodes, err := s.client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pods, err := s.client.CoreV1().Pods(s.namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	unready := func(status corev1.ConditionStatus) []byte {
		return fmt.Appendf(nil, `{"status":{"conditions":[{"type":"Ready","status":%q}]}}`, status)
	}
	node, pod := nodes.Items[0].Name, pods.Items[0].Name
	if _, err := s.client.CoreV1().Nodes().Patch(t.Context(), node, types.StrategicMergePatchType, unready(corev1.ConditionUnknown), metav1.PatchOptions{}, "status"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.client.CoreV1().Pods(s.namespace).Patch(t.Context(), pod, types.StrategicMergePatchType, unready(corev1.ConditionFalse), metav1.PatchOptions{}, "status"); err != nil {
		t.Fatal(err)
	}
	testkit.Await(t, "the node and its pod to be ready again", func() error {
		n, err := s.client.CoreV1().Nodes().Get(t.Context(), node, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, c := range n.Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status != corev1.ConditionTrue {
				return fmt.Errorf("the node is %+v", c)
			}
		}
		p, err := s.client.CoreV1().Pods(s.namespace).Get(t.Context(), pod, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status != corev1.ConditionTrue {
				return fmt.Errorf("the pod is %+v", c)
			}
		}
		return nil
	})
}
