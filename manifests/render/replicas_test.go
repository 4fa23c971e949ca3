package render

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// keys are how the values name the components.
var keys = map[string]string{"osm-bootstrap": "osmBootstrap", "osm-injector": "injector", "osm-controller": "osmController"}

func TestReplicasThatAreMoreThanOneHaveABudget(t *testing.T) {
	tests := map[string]struct {
		values map[string]any
		want   int // budgets
	}{
		"one":                         {map[string]any{}, 0},
		"two":                         {map[string]any{"replicaCount": 2}, 1},
		"two, as JSON has numbers":    {map[string]any{"replicaCount": 2.0}, 1},
		"two, without a budget":       {map[string]any{"replicaCount": 2, "enablePodDisruptionBudget": false}, 0},
		"one to five":                 {map[string]any{"replicaCount": 3, "autoScale": map[string]any{"enable": true, "minReplicas": 1}}, 0},
		"two to five":                 {map[string]any{"autoScale": map[string]any{"enable": true}}, 1},
		"two to five, but not scaled": {map[string]any{"autoScale": map[string]any{"enable": false}}, 0},
	}
	for name, test := range tests {
		for component, key := range keys {
			t.Run(component+": "+name, func(t *testing.T) {
				objects := mustRender(t, Options{Namespace: "osm-system", Values: osm(map[string]any{key: test.values})})
				if n := len(ofKind(objects, "PodDisruptionBudget")); n != test.want {
					t.Fatalf("%d budgets, want %d", n, test.want)
				}
				if test.want == 0 {
					return
				}
				budget := find[policyv1.PodDisruptionBudget](t, objects, "PodDisruptionBudget", component).Spec
				if *budget.MaxUnavailable != intstr.FromInt32(1) || budget.Selector.MatchLabels["app"] != component {
					t.Errorf("the budget is %v", budget)
				}
			})
		}
	}
}

func TestAComponentIsScaledWhereItIsAskedFor(t *testing.T) {
	for component, key := range keys {
		t.Run(component, func(t *testing.T) {
			objects := mustRender(t, Options{Namespace: "osm-system", Values: osm(map[string]any{key: map[string]any{
				"autoScale": map[string]any{"enable": true, "maxReplicas": 9.0, "memory": map[string]any{"targetAverageUtilization": 70}},
			}})})
			if n := len(ofKind(objects, "HorizontalPodAutoscaler")); n != 1 {
				t.Fatalf("%d autoscalers", n)
			}
			scale := find[autoscalingv2.HorizontalPodAutoscaler](t, objects, "HorizontalPodAutoscaler", component).Spec
			if scale.ScaleTargetRef.Name != component || *scale.MinReplicas != 2 || scale.MaxReplicas != 9 || len(scale.Metrics) != 2 {
				t.Fatalf("the autoscaler is %v", scale)
			}
			for i, want := range []int32{80, 70} {
				if got := *scale.Metrics[i].Resource.Target.AverageUtilization; got != want {
					t.Errorf("%s is used to %d%%, want %d%%", scale.Metrics[i].Resource.Name, got, want)
				}
			}
			if replicas := find[appsv1.Deployment](t, objects, "Deployment", component).Spec.Replicas; replicas != nil {
				t.Errorf("the deployment says %d replicas, which an upgrade would set again", *replicas)
			}
		})
	}
}

func TestReplicasAreSpreadAndReplacedOneByOne(t *testing.T) {
	objects := mustRender(t, Options{Namespace: "osm-system"})
	for _, component := range components {
		spec := find[appsv1.Deployment](t, objects, "Deployment", component).Spec
		rolling := spec.Strategy.RollingUpdate
		if *rolling.MaxUnavailable != intstr.FromInt32(0) || *rolling.MaxSurge != intstr.FromInt32(1) {
			t.Errorf("%s is updated by %v", component, rolling)
		}
		pod := spec.Template.Spec
		if *pod.TerminationGracePeriodSeconds < 20 {
			t.Errorf("%s has %d seconds to end", component, *pod.TerminationGracePeriodSeconds)
		}
		spread := map[string]bool{}
		for _, constraint := range pod.TopologySpreadConstraints {
			spread[constraint.TopologyKey] = constraint.WhenUnsatisfiable == corev1.ScheduleAnyway && constraint.LabelSelector.MatchLabels["app"] == component
		}
		if len(spread) != 2 || !spread[corev1.LabelHostname] || !spread[corev1.LabelTopologyZone] {
			t.Errorf("%s is spread by %v", component, pod.TopologySpreadConstraints)
		}
	}
}
