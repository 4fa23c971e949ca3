package manifests_test

import (
	"io/fs"
	"maps"
	"slices"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/osm-edge/osm/manifests"
)

func TestCustomResourceDefinitionsAreConvertedInTheMeshsNamespace(t *testing.T) {
	crds, err := manifests.CRDs("mesh")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, crd := range crds {
		names = append(names, crd.Name)
		conversion := crd.Spec.Conversion
		if conversion.Strategy != apiextensionsv1.WebhookConverter {
			t.Errorf("%s: strategy %s", crd.Name, conversion.Strategy)
		}
		service := conversion.Webhook.ClientConfig.Service
		if service.Namespace != "mesh" || service.Name != "osm-bootstrap" || *service.Path != "/convert" || *service.Port != 9443 {
			t.Errorf("%s is converted by %v", crd.Name, service)
		}
		if crd.Spec.Group != "config.openservicemesh.io" {
			t.Errorf("%s is of group %s", crd.Name, crd.Spec.Group)
		}
		storage := map[string]bool{}
		for _, version := range crd.Spec.Versions {
			storage[version.Name] = version.Storage
			if !version.Served {
				t.Errorf("%s: %s is not served", crd.Name, version.Name)
			}
		}
		if !maps.Equal(storage, map[string]bool{"v1": true, "v1alpha2": false}) {
			t.Errorf("%s is stored in versions %v", crd.Name, storage)
		}
	}
	if want := []string{"meshconfigs.config.openservicemesh.io", "meshrootcertificates.config.openservicemesh.io"}; !slices.Equal(names, want) {
		t.Errorf("there are %q, want %q", names, want)
	}
	if short := crds[1].Spec.Names.ShortNames; !slices.Equal(short, []string{"mrc"}) {
		t.Errorf("the short names of a MeshRootCertificate are %q", short)
	}
}

func TestCallersGetDefinitionsOfTheirOwn(t *testing.T) {
	for _, namespace := range []string{"mesh", "other"} {
		crds, err := manifests.CRDs(namespace)
		if err != nil {
			t.Fatal(err)
		}
		if got := crds[0].Spec.Conversion.Webhook.ClientConfig.Service.Namespace; got != namespace {
			t.Errorf("namespace %s, want %s", got, namespace)
		}
		crds[0].Spec.Conversion.Webhook.ClientConfig.Service.Namespace = "changed"
	}
}

func TestTheChartIsWhole(t *testing.T) {
	for _, name := range []string{"Chart.yaml", "values.yaml", "values.schema.json", "templates/_helpers.tpl"} {
		if _, err := fs.Stat(manifests.Chart(), name); err != nil {
			t.Error(err)
		}
	}
}

func TestObjectsOfAMeshAreSelectedWhateverTheirVersion(t *testing.T) {
	old := manifests.Labels("osm", "v1")
	if len(old) != 3 {
		t.Errorf("labels %v", old)
	}
	if !manifests.Owned("osm").Matches(labels.Set(old)) {
		t.Error("an object of the mesh is not owned")
	}
	nameless := maps.Clone(old)
	delete(nameless, "app.kubernetes.io/name")
	for name, set := range map[string]labels.Set{"another mesh's": manifests.Labels("other", "v1"), "another client's": nameless, "no one's": nil} {
		if manifests.Owned("osm").Matches(set) {
			t.Errorf("an object that is %s is owned", name)
		}
	}
}

func TestANamespaceIsMonitoredByOneMesh(t *testing.T) {
	tests := map[string]struct {
		labels labels.Set
		want   bool
	}{
		"by the mesh":     {labels.Set{"openservicemesh.io/monitored-by": "osm"}, true},
		"by another mesh": {labels.Set{"openservicemesh.io/monitored-by": "other"}, false},
		"by none":         {nil, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := manifests.Monitored("osm").Matches(test.labels); got != test.want {
				t.Errorf("monitored is %t", got)
			}
		})
	}
}
