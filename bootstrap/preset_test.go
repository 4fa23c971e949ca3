package bootstrap

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/osm-edge/osm/issuer/trustbundle"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"
)

func TestTheFirstObjectsAreThoseOfThePreset(t *testing.T) {
	m := newMesh()
	mustOnce(t, m)
	config, err := m.MeshConfigs.Get(t.Context(), "osm-mesh-config", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got, _, _ := unstructured.NestedString(config.Object, "spec", "certificate", "serviceCertValidityDuration"); got != "24h" || !maps.Equal(config.GetLabels(), meshLabels) {
		t.Errorf("the MeshConfig is %v", config.Object)
	}
	root, err := m.MeshRootCertificates.Get(t.Context(), "osm-mesh-root-certificate", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got, _, _ := unstructured.NestedString(root.Object, "spec", "provider", "tresor", "secretRef", "name"); got != "osm-ca-bundle" {
		t.Errorf("the MeshRootCertificate is %v", root.Object)
	}
}

func TestObjectsThatAreThereStayAsTheyAreWhateverThePreset(t *testing.T) {
	m := newMesh()
	for _, kind := range []string{"MeshConfig", "MeshRootCertificate"} {
		object := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "config.openservicemesh.io/v1", "kind": kind, "metadata": map[string]any{"name": "osm-mesh-config"},
			"spec": map[string]any{"role": "Active", "provider": map[string]any{"tresor": map[string]any{"secretRef": map[string]any{"name": "users-own"}}}},
		}}
		client := m.MeshConfigs
		if kind == "MeshRootCertificate" {
			client = m.MeshRootCertificates
		}
		if _, err := client.Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	m.objects.ClearActions()
	mustOnce(t, m)
	for _, action := range m.objects.Actions() {
		if verb := action.GetVerb(); verb != "get" && verb != "list" {
			t.Errorf("%s of %s", verb, action.GetResource().Resource)
		}
	}
	m.secret(t, "users-own")
}

func TestAPresetThatIsWrongIsRefusedByItsKey(t *testing.T) {
	tests := map[string]struct{ config, root, want string }{
		"no MeshConfig":            {"", presetRoot, `preset osm-system/osm-preset: key "mesh-config.yaml" is missing or empty`},
		"a field that is unknown":  {presetConfig + "  extra: 1\n", presetRoot, `key "mesh-config.yaml": error unmarshaling JSON: while decoding JSON: json: unknown field "extra"`},
		"another name":             {strings.Replace(presetConfig, "osm-mesh-config", "other", 1), presetRoot, `key "mesh-config.yaml": metadata.name is "other"`},
		"a root that is no object": {presetConfig, "root", `key "mesh-root-certificate.yaml"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := newMesh()
			cm := newPreset(test.config, test.root)
			if _, err := m.ConfigMaps.Update(t.Context(), cm, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			if err := m.Once(t.Context()); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

// unreadable has the mesh's own objects not be converted.
func unreadable(m *fakeMesh) {
	m.objects.PrependReactor("*", "*", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewInternalError(errors.New("conversion webhook failed"))
	})
}

func TestWhileObjectsWaitForAConversionTheWebhooksGetCertificatesThatItNeeds(t *testing.T) {
	m := newMesh()
	unreadable(m)
	err := m.Once(t.Context())
	var unread *unreadableError
	if !errors.As(err, &unread) || !strings.Contains(err.Error(), "read MeshConfig osm-mesh-config: ") {
		t.Fatalf("error %v", err)
	}
	m.mustServeFrom(t, m.published[len(m.published)-1].bundle)
	if _, err := m.Secrets.Get(t.Context(), "osm-ca-bundle", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("a root is made for no one: %v", err)
	}
}

func TestWhatCannotBeReadForAMomentChangesNothing(t *testing.T) {
	m := newMesh()
	mustOnce(t, m)
	before := m.published[0].bundle
	unreadable(m)
	m.client.ClearActions()
	if err := m.Once(t.Context()); err == nil {
		t.Fatal("no error")
	}
	for _, action := range m.client.Actions() {
		if action.GetVerb() != "get" {
			t.Errorf("%s of %s", action.GetVerb(), action.GetResource().Resource)
		}
	}
	if after := m.published[1].bundle; !after.Equal(before) {
		t.Errorf("published %s, before %s", after, before)
	}
}

func TestAReplicaThatCannotReadObjectsIsReadyToConvertThem(t *testing.T) {
	for name, test := range map[string]struct {
		unread bool
		known  error
	}{
		"nothing failed":   {false, nil},
		"reading failed":   {true, nil},
		"the rest failed":  {false, errForbidden},
		"both have failed": {true, errForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMesh()
			if test.unread {
				unreadable(m)
			}
			m.trusted = func() (trustbundle.TrustBundle, error) { return trustbundle.TrustBundle{}, test.known }
			if err := m.once(t).Ready(); !errors.Is(err, test.known) {
				t.Errorf("Ready returns %v", err)
			}
		})
	}
}
