package main

import (
	"strings"
	"testing"
	"time"

	"helm.sh/helm/v4/pkg/release/common"
	releasev1 "helm.sh/helm/v4/pkg/release/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestAToolIsKnownByItsMarks(t *testing.T) {
	label := func(key, value string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Labels: map[string]string{key: value}}
	}
	annotation := func(key, value string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Annotations: map[string]string{key: value}}
	}
	controller := true
	tests := map[string]struct {
		object metav1.ObjectMeta
		want   string
	}{
		"none":                      {metav1.ObjectMeta{}, ""},
		"kubectl apply":             {annotation("kubectl.kubernetes.io/last-applied-configuration", "{}"), ""},
		"Helm":                      {label(managedByLabel, managedByHelm), ""},
		"Argo CD's annotation":      {annotation("argocd.argoproj.io/tracking-id", "shop:apps/Deployment:osm-system/osm-injector"), "Argo CD's Application shop"},
		"Argo CD's label":           {label("argocd.argoproj.io/instance", "shop"), "Argo CD's Application shop"},
		"Argo CD's fields":          {metav1.ObjectMeta{ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "argocd-controller"}}}, "Argo CD"},
		"Flux' Kustomization":       {label("kustomize.toolkit.fluxcd.io/name", "apps"), "Flux' Kustomization apps"},
		"Flux' HelmRelease":         {label("helm.toolkit.fluxcd.io/name", "osm"), "Flux' HelmRelease osm"},
		"Config Sync":               {annotation("configsync.gke.io/resource-id", "apps_deployment_osm"), "Config Sync"},
		"kapp":                      {label("kapp.k14s.io/app", "1"), "kapp's app 1"},
		"a tool that says its name": {label(managedByLabel, "Pulumi"), "Pulumi"},
		"an operator":               {metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{{Kind: "MeshOperator", Name: "main", Controller: &controller}}}, "MeshOperator main"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			tool := keeperOf(&test.object)
			switch {
			case test.want == "" && tool != nil:
				t.Errorf("it is of %s", tool.name)
			case test.want != "" && (tool == nil || !strings.HasPrefix(tool.name, test.want)):
				t.Errorf("got %v, want %s", tool, test.want)
			}
		})
	}
}

func TestALabelThatWasRemovedByHandIsOfNoTool(t *testing.T) {
	tests := map[string]struct {
		labels  map[string]string
		managed bool
	}{
		"the mesh's":     {map[string]string{instanceLabel: "osm"}, false},
		"none":           {nil, false},
		"an empty one":   {map[string]string{instanceLabel: ""}, false},
		"another's name": {map[string]string{instanceLabel: "mesh-prod"}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if tool := relabelled(&metav1.ObjectMeta{Labels: test.labels}, "osm"); (tool != nil) != test.managed {
				t.Errorf("got %v", tool)
			}
		})
	}
}

func TestAReleaseThatIsBeingChangedIsNotUpgraded(t *testing.T) {
	r := &helmRelease{name: "osm", namespace: "osm-system"}
	for status, refused := range map[common.Status]bool{
		common.StatusDeployed: false, common.StatusFailed: false, common.StatusPendingUpgrade: true, common.StatusPendingRollback: true,
	} {
		err := r.unfinished(&releasev1.Release{Version: 4, Info: &releasev1.Info{Status: status, LastDeployed: time.Unix(0, 0)}})
		if (err != nil) != refused {
			t.Errorf("%s: %v", status, err)
		}
		if refused && !strings.Contains(err.Error(), "kubectl delete secret -n osm-system -l owner=helm,name=osm,version=4") {
			t.Errorf("%s: %v", status, err)
		}
	}
}
