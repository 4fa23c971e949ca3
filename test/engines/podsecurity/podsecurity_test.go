// Package podsecurity holds the chart to the Pod Security Standards, by the code that Kubernetes admits pods with.
package podsecurity

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"
)

// TestTheMeshNamespaceMayBeRestricted reads the chart's renderings, which the tests of manifests/render keep up to date.
func TestTheMeshNamespaceMayBeRestricted(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	renderings, err := filepath.Glob("../../../manifests/render/testdata/*.golden.yaml")
	if err != nil || len(renderings) == 0 {
		t.Fatalf("there is no rendering of the chart: %v", err)
	}
	for _, rendering := range renderings {
		pods := deployments(t, rendering)
		if len(pods) < 3 {
			t.Errorf("%s has %d Deployments, want those of the components", rendering, len(pods))
		}
		for _, deployment := range pods {
			pod := deployment.Spec.Template
			result := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &pod.ObjectMeta, &pod.Spec))
			if !result.Allowed {
				t.Errorf("%s: %s is not restricted: %s", rendering, deployment.Name, result.ForbiddenDetail())
			}
		}
	}
}

func deployments(t *testing.T, rendering string) (found []appsv1.Deployment) {
	t.Helper()
	content, err := os.ReadFile(rendering)
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range regexp.MustCompile(`(?m)^---\n`).Split(string(content), -1) {
		var deployment appsv1.Deployment
		if err := yaml.Unmarshal([]byte(document), &deployment); err == nil && deployment.Kind == "Deployment" {
			found = append(found, deployment)
		}
	}
	return found
}
