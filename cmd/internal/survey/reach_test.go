package survey

import (
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/osm-edge/osm/cmd/internal/check"
	"github.com/osm-edge/osm/manifests/mesh"
)

func TestWhatARefusalTellsOfAWebhook(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	const called = `failed calling webhook "osm-inject.k8s.io": failed to call webhook: Post "https://osm-injector.osm-system.svc:9090/mutate-pod-creation?timeout=5s": `
	tests := map[string]struct {
		err              error
		tells            bool
		problem, untried string
	}{
		"it was not reached":    {apierrors.NewInternalError(errors.New(called + "context deadline exceeded")), true, `Post "https://osm-injector.osm-system.svc:9090/mutate-pod-creation?timeout=5s": context deadline exceeded`, ""},
		"it was, and refused":   {apierrors.NewForbidden(pods, "a", errors.New(`admission webhook "osm-inject.k8s.io" denied the request: pod books/a: a`)), true, "", ""},
		"another's was not":     {apierrors.NewInternalError(errors.New(`failed calling webhook "other.example": failed to call webhook: Post "https://other": EOF`)), false, "", "other.example"},
		"another's refused":     {apierrors.NewForbidden(pods, "a", errors.New(`admission webhook "policy.example" denied the request: no`)), false, "", "policy.example"},
		"no right to create":    {apierrors.NewForbidden(pods, "", errors.New(`User "jane" cannot create resource "pods" in API group "" in the namespace "books"`)), false, "", "you may not create a pod in namespace books"},
		"a quota":               {apierrors.NewForbidden(pods, "a", errors.New("exceeded quota: compute, requested: pods=1, used: pods=1, limited: pods=1")), false, "", "exceeded quota"},
		"Pod Security":          {apierrors.NewForbidden(pods, "a", errors.New(`violates PodSecurity "restricted:latest"`)), false, "", "violates PodSecurity"},
		"no dry runs":           {apierrors.NewBadRequest(`admission webhook "x" does not support dry run`), false, "", "does not support dry run"},
		"a conversion's":        {apierrors.NewInternalError(errors.New(`conversion webhook for config.openservicemesh.io/v1, Kind=MeshConfig failed: Post "https://osm-bootstrap": EOF`)), true, "EOF", ""},
		"more than can be read": {apierrors.NewInternalError(errors.New(called + strings.Repeat("long\n", 1000))), true, "long long", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			call := &check.Call{Service: "osm-injector", Asked: "a pod in namespace books"}
			if tells := (&Survey{}).told(call, test.err, "osm-inject.k8s.io"); tells != test.tells {
				t.Errorf("it tells something: %t", tells)
			}
			if !strings.Contains(call.Problem, test.problem) || test.problem == "" && call.Problem != "" ||
				!strings.Contains(call.Untried, test.untried) || test.untried == "" && call.Untried != "" || len(call.Problem) > maxProblem+len("…") {
				t.Errorf("told %+v", call)
			}
		})
	}
}

// TestTheTriedPodIsOneThatMayBe has what Pod Security's restricted standard and
// a quota of everything ask for.
func TestTheTriedPodIsOneThatMayBe(t *testing.T) {
	pod := triedPod()
	for _, container := range pod.Spec.Containers {
		for _, list := range []corev1.ResourceList{container.Resources.Requests, container.Resources.Limits} {
			if list.Cpu().IsZero() || list.Memory().IsZero() {
				t.Errorf("the resources are %v", container.Resources)
			}
		}
	}
	if pod.Name != "" || pod.Annotations[mesh.InjectionAnnotation] != "enabled" {
		t.Errorf("the pod is %+v", pod.ObjectMeta)
	}
}
