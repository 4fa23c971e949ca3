package integration

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/osm-edge/osm/manifests"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/testkit"
)

// objects is the client of the mesh's own objects of a kind, in a version.
func objects(client dynamic.Interface, version, kind string) dynamic.ResourceInterface {
	plural := map[string]string{"MeshConfig": "meshconfigs", "MeshRootCertificate": "meshrootcertificates"}[kind]
	resource := schema.GroupVersionResource{Group: "config.openservicemesh.io", Version: version, Resource: plural}
	return client.Resource(resource).Namespace(mesh.Namespace)
}

// osmEdge are objects with every field that osm-edge has.
func osmEdge(t *testing.T) (objects []*unstructured.Unstructured) {
	t.Helper()
	data, err := os.ReadFile("testdata/osm-edge.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for document := range strings.SplitSeq(string(data), "\n---\n") {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), &object.Object); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, object)
	}
	return objects
}

func TestObjectsOfAnOlderReleaseAreReadableAfterItsUpgrade(t *testing.T) {
	t.Parallel()
	c, client := startCluster(t)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: mesh.Namespace}}
	if _, err := client.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	defineOnlyV1alpha2(t, c.Config())
	stored, err := dynamic.NewForConfig(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	given := osmEdge(t)
	for _, object := range given {
		testkit.Condition(t, "an object is stored", func(ctx context.Context) (bool, error) {
			_, err := objects(stored, "v1alpha2", object.GetKind()).Create(ctx, object, metav1.CreateOptions{})
			return err == nil, nil
		})
	}
	if err := mesh.Install(testkit.Context(t, 2*time.Minute), c.Config(), nil); err != nil {
		showLogs(t, c)
		t.Fatal(err)
	}
	t.Run("in both versions", func(t *testing.T) { testBothVersions(t, stored, given) })
	t.Run("and can be applied anew", func(t *testing.T) { testAppliedAnew(t, stored, given) })
	t.Run("and changed in the other version", func(t *testing.T) { testOtherVersion(t, stored) })
	t.Run("and what is wrong in v1 is refused", func(t *testing.T) { testRefusedV1(t, stored) })
}

// defineOnlyV1alpha2 defines the objects as a release did that had one version.
func defineOnlyV1alpha2(t *testing.T, config *rest.Config) {
	t.Helper()
	client, err := apiextensions.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	crds, err := manifests.CRDs(mesh.Namespace)
	if err != nil {
		t.Fatal(err)
	}
	for _, crd := range crds {
		crd.Spec.Conversion = nil
		crd.Spec.Versions = slices.DeleteFunc(crd.Spec.Versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool { return v.Name != "v1alpha2" })
		crd.Spec.Versions[0].Storage = true
		if _, err := client.ApiextensionsV1().CustomResourceDefinitions().Create(t.Context(), crd, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

func testBothVersions(t *testing.T, client dynamic.Interface, given []*unstructured.Unstructured) {
	for _, object := range given {
		for _, version := range []string{"v1", "v1alpha2"} {
			got, err := objects(client, version, object.GetKind()).Get(t.Context(), object.GetName(), metav1.GetOptions{})
			if err != nil {
				t.Errorf("%s %s in %s: %v", object.GetKind(), object.GetName(), version, err)
				continue
			}
			if version == "v1alpha2" {
				contains(t, object.GetName(), got.Object["spec"], object.Object["spec"])
			}
		}
	}
	list, err := objects(client, "v1", "MeshRootCertificate").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) != 3 {
		t.Fatalf("%d roots are listed: %v", len(list.Items), err)
	}
	config, err := objects(client, "v1", "MeshConfig").Get(t.Context(), "osm-mesh-config", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	contains(t, "spec", config.Object["spec"], map[string]any{
		"certificate": map[string]any{"keyAlgorithm": "rsa-2048", "serviceCertValidityDuration": "24h"},
		"sidecar":     map[string]any{"logLevel": "error", "resources": map[string]any{"limits": map[string]any{"cpu": "0.5"}}},
		"traffic":     map[string]any{"outboundPortExclusions": []any{int64(6379)}},
	})
}

// contains tells what of want is not in got. An object may have more.
func contains(t *testing.T, path string, got, want any) {
	t.Helper()
	object, isObject := want.(map[string]any)
	if !isObject {
		if !equalJSON(got, want) {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
		return
	}
	in, _ := got.(map[string]any)
	for name, value := range object {
		contains(t, path+"."+name, in[name], value)
	}
}

// equalJSON knows one kind of number, and lists of objects that may have more.
func equalJSON(a, b any) bool {
	one, err := yaml.Marshal(a)
	if err != nil {
		return false
	}
	other, err := yaml.Marshal(b)
	return err == nil && string(one) == string(other)
}

func testAppliedAnew(t *testing.T, client dynamic.Interface, given []*unstructured.Unstructured) {
	for _, object := range given {
		options := metav1.ApplyOptions{FieldManager: "kubectl", Force: true}
		got, err := objects(client, "v1alpha2", object.GetKind()).Apply(t.Context(), object.GetName(), object, options)
		if err != nil {
			t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
			continue
		}
		contains(t, object.GetName(), got.Object["spec"], object.Object["spec"])
	}
}

func testOtherVersion(t *testing.T, client dynamic.Interface) {
	patch := []byte(`{"spec":{"sidecar":{"logLevel":"debug"},"certificate":{"keyAlgorithm":"ecdsa-p256"}}}`)
	if _, err := objects(client, "v1", "MeshConfig").Patch(t.Context(), "osm-mesh-config", "application/merge-patch+json", patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	config, err := objects(client, "v1alpha2", "MeshConfig").Get(t.Context(), "osm-mesh-config", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	contains(t, "spec", config.Object["spec"], map[string]any{
		"sidecar":      map[string]any{"logLevel": "debug", "sidecarClass": "pipy", "resources": map[string]any{"limits": map[string]any{"cpu": 0.5}}},
		"featureFlags": map[string]any{"enableWASMStats": false},
	})
	if _, has, _ := unstructured.NestedFieldNoCopy(config.Object, "spec", "certificate", "certKeyBitSize"); has {
		t.Error("a key that is not of RSA has a size")
	}
}

func testRefusedV1(t *testing.T, client dynamic.Interface) {
	tests := map[string]struct{ kind, spec, want string }{
		"a short validity":  {"MeshConfig", `{"certificate":{"serviceCertValidityDuration":"30s"}}`, "spec.certificate.serviceCertValidityDuration"},
		"no algorithm":      {"MeshConfig", `{"certificate":{"keyAlgorithm":"dsa"}}`, "spec.certificate.keyAlgorithm"},
		"no range":          {"MeshConfig", `{"traffic":{"outboundIPRangeExclusions":["10.0.0.1"]}}`, "spec.traffic.outboundIPRangeExclusions[0]"},
		"ports twice":       {"MeshConfig", `{"traffic":{"inboundPortExclusions":[80,80]}}`, "spec.traffic.inboundPortExclusions[1]"},
		"no provider":       {"MeshRootCertificate", `{"role":"Active","provider":{}}`, "spec.provider"},
		"no role":           {"MeshRootCertificate", `{"provider":{"tresor":{"secretRef":{"name":"a"}}}}`, "spec.role"},
		"two logins":        {"MeshRootCertificate", `{"role":"Active","provider":{"vault":{"address":"https://a","role":"b","auth":{}}}}`, "spec.provider.vault.auth"},
		"no URL":            {"MeshRootCertificate", `{"role":"Active","provider":{"vault":{"address":"a","role":"b","auth":{"kubernetes":{"role":"c"}}}}}`, "spec.provider.vault.address"},
		"a mount elsewhere": {"MeshRootCertificate", `{"role":"Active","provider":{"vault":{"address":"https://a","mount":"../sys","role":"b","auth":{"kubernetes":{"role":"c"}}}}}`, "spec.provider.vault.mount"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			object := &unstructured.Unstructured{}
			document := `{"apiVersion":"config.openservicemesh.io/v1","kind":"` + test.kind + `","metadata":{"name":"wrong"},"spec":` + test.spec + `}`
			if err := object.UnmarshalJSON([]byte(document)); err != nil {
				t.Fatal(err)
			}
			_, err := objects(client, "v1", test.kind).Create(t.Context(), object, metav1.CreateOptions{DryRun: []string{"All"}})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want a refusal of %s", err, test.want)
			}
		})
	}
}
