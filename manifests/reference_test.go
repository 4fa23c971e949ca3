package manifests_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

const definitionsDocument = "../docs/reference/crds.md"

// document writes what the definitions say of their fields, a line for each.
func document(t *testing.T, crds []*apiextensionsv1.CustomResourceDefinition) {
	t.Helper()
	slices.SortFunc(crds, func(a, b *apiextensionsv1.CustomResourceDefinition) int {
		return strings.Compare(a.Spec.Names.Kind, b.Spec.Names.Kind)
	})
	out := &bytes.Buffer{}
	out.WriteString("# Custom resources\n\nGenerated from the custom resource definitions. Objects are stored as `v1`. The other version is that of osm-edge. [MeshRootCertificate](../meshrootcertificate.md) and [Change settings](../configure.md) say how to use them.\n")
	for _, crd := range crds {
		for _, version := range crd.Spec.Versions {
			fmt.Fprintf(out, "\n## %s %s\n\n", crd.Spec.Names.Kind, version.Name)
			schema := version.Schema.OpenAPIV3Schema
			fmt.Fprintf(out, "`apiVersion: %s/%s`\n\n%s\n\n", crd.Spec.Group, version.Name, inOneLine(schema.Description))
			out.WriteString("| field | type | meaning |\n|---|---|---|\n")
			for _, name := range []string{"spec", "status"} {
				if part, ok := schema.Properties[name]; ok {
					fields(out, name, part)
				}
			}
		}
	}
	golden(t, definitionsDocument, out.Bytes())
}

// fields writes a field and those below it. Conditions are the same in all of
// Kubernetes.
func fields(out *bytes.Buffer, path string, schema apiextensionsv1.JSONSchemaProps) {
	kind := schema.Type
	if schema.XIntOrString {
		kind = "integer or string"
	}
	meaning := inOneLine(schema.Description)
	if schema.Default != nil {
		meaning += fmt.Sprintf(" Default: `%s`.", schema.Default.Raw)
	}
	if len(schema.Enum) > 0 {
		values := make([]string, 0, len(schema.Enum))
		for _, value := range schema.Enum {
			values = append(values, "`"+strings.Trim(string(value.Raw), `"`)+"`")
		}
		meaning += " One of " + strings.Join(values, ", ") + "."
	}
	fmt.Fprintf(out, "| `%s` | %s | %s |\n", path, kind, strings.TrimSpace(meaning))
	if strings.HasSuffix(path, ".conditions") {
		return
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		path, schema = path+"[]", *schema.Items.Schema
	}
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		fields(out, path+"."+name, schema.Properties[name])
	}
}

func inOneLine(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}
