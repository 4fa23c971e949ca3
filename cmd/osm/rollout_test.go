package main

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestOnlyWhatIsNotReadyIsSaidNotToBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		of := func(name string, available int32) *appsv1.Deployment {
			return &appsv1.Deployment{
				ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "osm-system"},
				Spec:       appsv1.DeploymentSpec{Replicas: new(int32(1))},
				Status:     appsv1.DeploymentStatus{Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: available},
			}
		}
		client := fake.NewClientset(of("osm-bootstrap", 0), of("osm-injector", 1), of("osm-controller", 1))
		err := (&rollout{client, "osm-system", newTerminal(io.Discard)}).await(t.Context(), time.Minute)
		if err == nil || !strings.Contains(err.Error(), "osm-bootstrap is not ready") {
			t.Fatalf("got %v", err)
		}
		for _, ready := range []string{"osm-injector", "osm-controller"} {
			if strings.Contains(err.Error(), ready) {
				t.Errorf("%s is ready: %v", ready, err)
			}
		}
	})
}
