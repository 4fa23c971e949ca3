package render

import (
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// options are values that turn on whatever is off by default.
var options = map[string]any{
	"imagePullSecrets":        []any{map[string]any{"name": "registry"}},
	"priorityClassName":       "system-cluster-critical",
	"controlPlaneTolerations": []any{map[string]any{"key": "dedicated", "operator": "Exists"}},
	"osmBootstrap":            map[string]any{"nodeSelector": map[string]any{"pool": "control"}},
	"injector":                map[string]any{"tolerations": []any{map[string]any{"key": "spot", "operator": "Exists"}}, "podLabels": map[string]any{"team": "platform", "app": "mine"}},
	"osmController": map[string]any{"replicaCount": 2, "affinity": map[string]any{"nodeAffinity": map[string]any{
		"requiredDuringSchedulingIgnoredDuringExecution": map[string]any{"nodeSelectorTerms": []any{
			map[string]any{"matchExpressions": []any{map[string]any{"key": "kubernetes.io/arch", "operator": "In", "values": []any{"arm64"}}}},
		}},
	}}},
	"networkPolicies": map[string]any{"enable": true, "metricsNamespaces": map[string]any{"kubernetes.io/metadata.name": "monitoring"}, "apiServerRanges": []any{"10.0.0.1/32", "fd00::1/128"}},
	"webhooks":        map[string]any{"verifyClient": true, "clientNames": []any{"kube-apiserver"}},
	"monitoring":      map[string]any{"labels": map[string]any{"release": "prometheus"}, "podMonitor": true, "rules": true, "dashboard": true},
}

func TestANetworkPolicyOpensThePortsThatAreServed(t *testing.T) {
	objects := mustRender(t, Options{Namespace: "osm-system", Values: osm(map[string]any{"networkPolicies": map[string]any{"enable": true}})})
	if n := len(ofKind(objects, "NetworkPolicy")); n != len(components) {
		t.Errorf("%d policies", n)
	}
	for _, component := range components {
		policy := find[networkingv1.NetworkPolicy](t, objects, "NetworkPolicy", component).Spec
		pod := find[appsv1.Deployment](t, objects, "Deployment", component).Spec.Template
		if !labels.SelectorFromSet(policy.PodSelector.MatchLabels).Matches(labels.Set(pod.Labels)) || policy.Egress != nil {
			t.Errorf("%s has the policy %v", component, policy)
		}
		var opened, served []int
		for _, rule := range policy.Ingress {
			for _, port := range rule.Ports {
				opened = append(opened, port.Port.IntValue())
			}
		}
		for _, port := range pod.Spec.Containers[0].Ports {
			served = append(served, int(port.ContainerPort))
		}
		slices.Sort(opened)
		slices.Sort(served)
		if !slices.Equal(opened, served) {
			t.Errorf("%s serves on %v, and %v are open", component, served, opened)
		}
		if metrics := policy.Ingress[1]; metrics.Ports[0].Port.IntValue() != 9091 || len(metrics.From[0].NamespaceSelector.MatchLabels) > 0 {
			t.Errorf("metrics of %s are open to %v", component, metrics)
		}
	}
}

func TestLabelsOfPodsDoNotTakeThemFromTheirDeployment(t *testing.T) {
	mine := map[string]any{"podLabels": map[string]any{"app": "mine", "team": "platform"}}
	pod := find[appsv1.Deployment](t, mustRender(t, Options{Namespace: "osm-system", Values: osm(map[string]any{"injector": mine})}), "Deployment", "osm-injector").Spec.Template
	if pod.Labels["app"] != "osm-injector" || pod.Labels["team"] != "platform" {
		t.Errorf("its labels are %v", pod.Labels)
	}
}

func TestPodsRunWhereTheValuesSay(t *testing.T) {
	objects := mustRender(t, Options{Namespace: "osm-system", Values: osm(options)})
	for component, want := range map[string]int{"osm-bootstrap": 1, "osm-injector": 2, "osm-controller": 1} {
		pod := find[appsv1.Deployment](t, objects, "Deployment", component).Spec.Template.Spec
		if len(pod.Tolerations) != want || pod.PriorityClassName != "system-cluster-critical" || pod.ImagePullSecrets[0].Name != "registry" || pod.NodeSelector["kubernetes.io/os"] != "linux" {
			t.Errorf("%s runs where %v", component, pod)
		}
	}
}

func TestObjectsOfOptionsAreOnesThatKubernetesKnows(t *testing.T) {
	for _, object := range mustRender(t, Options{Namespace: "osm-system", Values: osm(options)}) {
		if object.GroupVersionKind().Group != "monitoring.coreos.com" {
			mustConvert(t, object, typed(t, object))
		}
	}
}

func TestWebhooksAreOpenToTheAPIServersRangesOnly(t *testing.T) {
	objects := mustRender(t, Options{Namespace: "osm-system", Values: osm(map[string]any{
		"networkPolicies": map[string]any{"enable": true, "apiServerRanges": []any{"10.0.0.1/32", "fd00::1/128"}}})})
	for component, port := range map[string]int{"osm-bootstrap": 9443, "osm-injector": 9090, "osm-controller": 9093} {
		for _, rule := range find[networkingv1.NetworkPolicy](t, objects, "NetworkPolicy", component).Spec.Ingress {
			var ranges []string
			for _, peer := range rule.From {
				if peer.IPBlock != nil {
					ranges = append(ranges, peer.IPBlock.CIDR)
				}
			}
			if webhook := rule.Ports[0].Port.IntValue() == port; webhook != slices.Equal(ranges, []string{"10.0.0.1/32", "fd00::1/128"}) {
				t.Errorf("%s: port %d is open to %q", component, rule.Ports[0].Port.IntValue(), ranges)
			}
		}
	}
}

func TestTheClustersClientCAIsReadOnlyWhereItCounts(t *testing.T) {
	for name, test := range map[string]struct {
		webhooks map[string]any
		readers  int
	}{
		"not verified":      {nil, 0},
		"the cluster's CA":  {map[string]any{"verifyClient": true, "clientNames": []any{"kube-apiserver"}}, 2}, // conversions are called without a certificate
		"a CA of the chart": {map[string]any{"verifyClient": true, "clientCA": "-----BEGIN CERTIFICATE-----\n"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			values := map[string]any{}
			if test.webhooks != nil {
				values["webhooks"] = test.webhooks
			}
			objects := mustRender(t, Options{Namespace: "osm-system", Values: osm(values)})
			readers := 0
			for _, binding := range ofKind(objects, "RoleBinding") {
				if binding.GetNamespace() == "kube-system" {
					readers++
				}
			}
			if readers != test.readers {
				t.Errorf("%d components may read the cluster's client CA, want %d", readers, test.readers)
			}
			arguments := find[appsv1.Deployment](t, objects, "Deployment", "osm-injector").Spec.Template.Spec.Containers[0].Args
			if verified := slices.Contains(arguments, "--verify-webhook-client"); verified != (test.webhooks != nil) {
				t.Errorf("osm-injector is started with %q", arguments)
			}
		})
	}
}
