package integration

import (
	"context"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/testkit"
)

func TestWhoIsRefusedIsToldAndWhoDeclinesNeedsNoInjector(t *testing.T) {
	t.Parallel()
	c, client := startMesh(t, nil)
	defer func() {
		if t.Failed() {
			showLogs(t, c)
		}
	}()
	t.Run("a refusal is an Event of the ReplicaSet", func(t *testing.T) { testRefusalEvent(t, client) })
	stopInjector(t, client)
	t.Run("with no injector", func(t *testing.T) { testDeclined(t, client) })
}

func testRefusalEvent(t *testing.T, client kubernetes.Interface) {
	namespace := createNamespace(t, client, map[string]string{monitored: "osm"}, "")
	labels := map[string]string{"app": "app"}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "app"},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: map[string]string{injection: "maybe"}},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "example/app:1"}}},
			},
		},
	}
	if _, err := client.AppsV1().Deployments(namespace).Create(t.Context(), deployment, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	testkit.Condition(t, "the Event", func(ctx context.Context) (bool, error) {
		list, err := client.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{FieldSelector: "reason=InjectionRefused,involvedObject.kind=ReplicaSet"})
		if err != nil || len(list.Items) == 0 {
			return false, err
		}
		event := list.Items[0]
		if !strings.Contains(event.Message, "annotation") || strings.Contains(event.Message, "maybe") || event.Source.Component != "osm-injector" {
			t.Errorf("the Event of %s says %q", event.Source.Component, event.Message)
		}
		return true, nil
	})
}

func stopInjector(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	none := []byte(`{"spec":{"replicas":0}}`)
	if _, err := client.AppsV1().Deployments(mesh.Namespace).Patch(t.Context(), "osm-injector", types.MergePatchType, none, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	// One that ends still answers for a while.
	testkit.Condition(t, "the end of the last osm-injector", func(ctx context.Context) (bool, error) {
		pods, err := client.CoreV1().Pods(mesh.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=osm-injector"})
		return err == nil && len(pods.Items) == 0, err
	})
}

func testDeclined(t *testing.T, client kubernetes.Interface) {
	namespace := createNamespace(t, client, map[string]string{monitored: "osm"}, "")
	tests := map[string]struct {
		annotations map[string]string
		node        string
		refused     string
	}{
		"a pod that says disabled": {annotations: map[string]string{injection: "disabled"}},
		"a pod that says no":       {annotations: map[string]string{injection: "no"}},
		"a pod that says false":    {annotations: map[string]string{injection: "false"}},
		"a mirror pod":             {annotations: map[string]string{corev1.MirrorPodAnnotationKey: "hash"}, node: "node"},
		"a pod that says nothing":  {refused: "osm-inject.k8s.io"},
		"a pod that says more":     {annotations: map[string]string{"example.test/a": "b"}, refused: "osm-inject.k8s.io"},
		"a pod that says yes":      {annotations: map[string]string{injection: "yes"}, refused: "osm-inject.k8s.io"},
		"a pod that says maybe":    {annotations: map[string]string{injection: "maybe"}, refused: "osm-inject.k8s.io"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{GenerateName: "app-", Annotations: test.annotations},
				Spec: corev1.PodSpec{
					NodeName:                     test.node,
					AutomountServiceAccountToken: new(false),
					Containers:                   []corev1.Container{{Name: "app", Image: "example/app:1"}},
				},
			}
			_, err := client.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			if test.refused == "" && err != nil {
				t.Errorf("refused: %v", err)
			}
			if test.refused != "" && (err == nil || !strings.Contains(err.Error(), test.refused)) {
				t.Errorf("error %v, want one that names %s", err, test.refused)
			}
		})
	}
}
