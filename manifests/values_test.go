package manifests_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/osm-edge/osm/manifests"
)

const valuesDocument = "../docs/reference/values.md"

// TestTheDocumentOfValuesIsThatOfTheChart writes what the comments of
// values.yaml say, a line for each value.
func TestTheDocumentOfValuesIsThatOfTheChart(t *testing.T) {
	t.Parallel()
	data, err := fs.ReadFile(manifests.Chart(), "values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	out.WriteString("# Values of the chart\n\nGenerated from the comments of [`values.yaml`](../../manifests/chart/values.yaml). Set them with `--set` or in a file, of `osm install`, `osm upgrade` or Helm.\n\nSome values create objects that [take precedence](../configure.md#chart-values) afterwards.\n\n")
	out.WriteString("| value | default | meaning |\n|---|---|---|\n")
	for _, v := range valuesOf(t, document.Content[0], "", nil) {
		if v.meaning == "" {
			t.Errorf("values.yaml has no comment on %s", v.name)
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s |\n", v.name, v.value, v.meaning)
	}
	out.WriteString("\n`osm.serviceCertValidityDuration`, from osm-edge's guide, is another name for `osm.certificateProvider.serviceCertValidityDuration`. It takes precedence.\n\n`autoScale` needs a metrics server. osm-injector uses up to 100 MiB of memory before it must collect garbage: give it no limit below the default of 128M.\n")
	golden(t, valuesDocument, out.Bytes())
}

// value is a line of the document.
type value struct{ name, value, meaning string }

// valuesOf lists the values below a mapping. What one like it before, in
// another component, was said of is said again.
func valuesOf(t *testing.T, mapping *yaml.Node, prefix string, said map[string]string) (values []value) {
	t.Helper()
	if said == nil {
		said = map[string]string{}
	}
	for i := 0; i < len(mapping.Content); i += 2 {
		key, node := mapping.Content[i], mapping.Content[i+1]
		name := prefix + key.Value
		meaning := strings.NewReplacer("# ", "", "#", "", "\n", " ", "|", "\\|").Replace(key.HeadComment)
		_, place, _ := strings.Cut(strings.TrimPrefix(name, "osm."), ".")
		if meaning == "" && place != "" {
			meaning = said[place]
		}
		said[place] = meaning
		if node.Kind == yaml.MappingNode && len(node.Content) > 0 && node.Style&yaml.FlowStyle == 0 {
			if meaning != "" {
				values = append(values, value{name, "", meaning})
			}
			values = append(values, valuesOf(t, node, name+".", said)...)
			continue
		}
		values = append(values, value{name, written(t, node), meaning})
	}
	return values
}

func written(t *testing.T, node *yaml.Node) string {
	t.Helper()
	if node.Kind == yaml.ScalarNode && node.Value == "" && node.Style&yaml.DoubleQuotedStyle != 0 {
		return ""
	}
	data, err := yaml.Marshal(node)
	if err != nil {
		t.Fatal(err)
	}
	return "`" + strings.TrimSpace(string(data)) + "`"
}
