package manifests_test

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the custom resource definitions, and the copying of their Go types, anew")

// TestTheDefinitionsAreThoseOfTheGoTypes generates the definitions from the Go
// types, with what the types don't say: the labels, and who converts.
func TestTheDefinitionsAreThoseOfTheGoTypes(t *testing.T) {
	t.Parallel()
	crds := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(generate(t, "crd", "paths=./crd/...", "output:crd:stdout"))))
	written := map[string]bool{}
	var all []*apiextensionsv1.CustomResourceDefinition
	for {
		document, err := crds.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(document, crd); err != nil {
			t.Fatal(err)
		}
		name := filepath.Join("chart", "crds", crd.Spec.Names.Plural+".yaml")
		written[name] = true
		all = append(all, crd)
		golden(t, name, complete(t, crd))
	}
	document(t, all)
	files, err := filepath.Glob("chart/crds/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !written[file] {
			t.Errorf("%s is of no Go type", file)
		}
	}
}

func TestTheGoTypesAreCopiedAsTheyAre(t *testing.T) {
	t.Parallel()
	if *update {
		generate(t, "object", "paths=./crd/...")
		return
	}
	var want []byte
	for _, version := range []string{"v1", "v1alpha2"} {
		code, err := os.ReadFile(filepath.Join("crd", version, "zz_generated.deepcopy.go"))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, code...)
	}
	if got := generate(t, "object", "paths=./crd/...", "output:object:stdout"); !bytes.Equal(got, want) {
		t.Error("zz_generated.deepcopy.go is stale: run make generate")
	}
}

func generate(t *testing.T, args ...string) []byte {
	t.Helper()
	var stderr bytes.Buffer
	command := exec.CommandContext(t.Context(), "go", append([]string{"tool", "-modfile=../test/tools/go.mod", "controller-gen"}, args...)...)
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("controller-gen %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return out
}

// complete is the file of a definition.
func complete(t *testing.T, crd *apiextensionsv1.CustomResourceDefinition) []byte {
	t.Helper()
	crd.Annotations = nil // the generator's version
	crd.Labels = map[string]string{"app.kubernetes.io/name": "openservicemesh.io"}
	path, port := "/convert", int32(9443)
	crd.Spec.Conversion = &apiextensionsv1.CustomResourceConversion{
		Strategy: apiextensionsv1.WebhookConverter,
		Webhook: &apiextensionsv1.WebhookConversion{
			ConversionReviewVersions: []string{"v1"},
			ClientConfig: &apiextensionsv1.WebhookClientConfig{Service: &apiextensionsv1.ServiceReference{
				Namespace: "osm-system", Name: "osm-bootstrap", Path: &path, Port: &port,
			}},
		},
	}
	// The status is the API server's.
	out, err := yaml.Marshal(map[string]any{
		"apiVersion": crd.APIVersion, "kind": crd.Kind,
		"metadata": map[string]any{"name": crd.Name, "labels": crd.Labels}, "spec": crd.Spec,
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func golden(t *testing.T, name string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is stale: run make generate", name)
	}
}
