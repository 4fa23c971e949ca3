package render

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// TestTheMeshNamespaceMayBeRestricted has the components judged by the code that
// Kubernetes admits pods with.
func TestTheMeshNamespaceMayBeRestricted(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	for _, values := range goldens {
		objects := mustRender(t, Options{Namespace: "osm-system", Values: osm(values)})
		for _, component := range components {
			pod := find[appsv1.Deployment](t, objects, "Deployment", component).Spec.Template
			result := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &pod.ObjectMeta, &pod.Spec))
			if !result.Allowed {
				t.Errorf("%s is not restricted: %s", component, result.ForbiddenDetail())
			}
		}
	}
}
