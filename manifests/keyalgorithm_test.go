package manifests_test

import (
	"encoding/json"
	"io/fs"
	"slices"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/osm-edge/osm/manifests"
	"github.com/osm-edge/osm/manifests/mesh"
)

func TestKeyAlgorithmsAreTheSameEverywhere(t *testing.T) {
	var want []string
	for _, algorithm := range mesh.KeyAlgorithms() {
		want = append(want, string(algorithm))
	}
	check := func(where string, enum []string) {
		if !slices.Equal(enum, want) {
			t.Errorf("%s: %q, want %q", where, enum, want)
		}
	}

	crds, err := manifests.CRDs("mesh")
	if err != nil {
		t.Fatal(err)
	}
	certificate := schemaOf(t, crds[0], "v1").Properties["spec"].Properties["certificate"]
	var enum []string
	for _, value := range certificate.Properties["keyAlgorithm"].Enum {
		var word string
		if err := json.Unmarshal(value.Raw, &word); err != nil {
			t.Fatal(err)
		}
		enum = append(enum, word)
	}
	check("the CRD", enum)

	data, err := fs.ReadFile(manifests.Chart(), "values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties struct {
			OSM struct {
				Properties struct {
					CertificateProvider struct {
						Properties struct {
							KeyAlgorithm struct{ Enum []string }
						}
					}
				}
			}
		}
	}
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	check("the chart's values", schema.Properties.OSM.Properties.CertificateProvider.Properties.KeyAlgorithm.Enum)
}

func schemaOf(t *testing.T, crd *apiextensionsv1.CustomResourceDefinition, version string) *apiextensionsv1.JSONSchemaProps {
	t.Helper()
	for _, v := range crd.Spec.Versions {
		if v.Name == version {
			return v.Schema.OpenAPIV3Schema
		}
	}
	t.Fatalf("%s has no version %s", crd.Name, version)
	return nil
}
