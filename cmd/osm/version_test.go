package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/cmd/internal/component"
)

func tellVersions(t *testing.T, client kubernetes.Interface) {
	makeNamespace(t, client, "versions", nil, nil)
	app := map[string]string{"app": "osm-injector"}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "osm-injector", Labels: map[string]string{
			"app.kubernetes.io/name": "openservicemesh.io", "app.kubernetes.io/instance": "third", "app.kubernetes.io/version": "9.8.7",
		}},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32), Selector: &metav1.LabelSelector{MatchLabels: app},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: app},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}},
			},
		},
	}
	if _, err := client.AppsV1().Deployments("versions").Create(t.Context(), deployment, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if out, err := osm(t.Context(), "version"); err != nil || !strings.Contains(out, "mesh third, namespace versions: osm-injector 9.8.7\n") {
		t.Errorf("error %v, printed:\n%s", err, out)
	}
	out, err := osm(t.Context(), "version", "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var told versions
	if err := json.Unmarshal([]byte(out), &told); err != nil {
		t.Fatalf("%v in:\n%s", err, out)
	}
	want := componentVersion{Mesh: "third", Namespace: "versions", Name: "osm-injector", Version: "9.8.7"}
	if !slices.Contains(told.Components, want) || told.Client.Version != component.Version() || told.Problem != "" {
		t.Errorf("printed:\n%s", out)
	}
}
