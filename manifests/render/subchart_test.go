package render

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/cli/values"
	"helm.sh/helm/v4/pkg/getter"
	release "helm.sh/helm/v4/pkg/release/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/osm-edge/osm/manifests"
)

// TestTheChartIsAPartOfAnother has Helm render a chart that depends on this one,
// as helm template does.
func TestTheChartIsAPartOfAnother(t *testing.T) {
	const named = "  - {name: osm, version: '>=0', repository: 'https://charts.example', condition: osm.enabled}\n"
	const alias = "  - {name: osm, version: '>=0', repository: 'https://charts.example', condition: mesh.enabled, alias: mesh}\n"
	own := func(values map[string]any) []*unstructured.Unstructured {
		return mustRender(t, Options{Namespace: "mesh-system", Values: osm(values)})
	}
	tests := map[string]struct {
		dependency, values string
		sets               []string
		want               []*unstructured.Unstructured // nil: none of ours
	}{
		"no word of it":              {named, "", nil, own(map[string]any{})},
		"enabled":                    {named, "osm: {enabled: true}", nil, own(map[string]any{})},
		"enabled, by the command":    {named, "", []string{"osm.enabled=true"}, own(map[string]any{})},
		"not enabled":                {named, "osm: {enabled: false}", nil, nil},
		"not enabled, but by it":     {named, "osm: {enabled: false}", []string{"osm.enabled=true"}, own(map[string]any{})},
		"values of the chart":        {named, "osm: {enabled: true, osm: {meshName: shop, trustDomain: shop.example}}", nil, own(map[string]any{"meshName": "shop", "trustDomain": "shop.example"})},
		"values for all parts":       {named, "global: {imageRegistry: r.example, nested: {a: [1]}}\nosm: {enabled: true}", nil, own(map[string]any{})},
		"values for all, of a part":  {named, "osm: {enabled: true, global: {a: b}}", nil, own(map[string]any{})},
		"under another name":         {alias, "mesh: {enabled: true, osm: {meshName: shop}}", nil, own(map[string]any{"meshName": "shop"})},
		"not, under another name":    {alias, "mesh: {enabled: false}", nil, nil},
		"the first condition counts": {strings.Replace(named, "osm.enabled", "'all.enabled,osm.enabled'", 1), "all: {enabled: true}\nosm: {enabled: false}", nil, own(map[string]any{})},
		"a condition further within": {strings.Replace(named, "osm.enabled", "osm.osm.enabled", 1), "osm: {osm: {enabled: true}}", nil, own(map[string]any{})},
		"not, further within":        {strings.Replace(named, "osm.enabled", "osm.osm.enabled", 1), "osm: {osm: {enabled: false}}", nil, nil},
		"by a tag":                   {strings.Replace(named, "condition: osm.enabled", "tags: [mesh]", 1), "tags: {mesh: false}", nil, nil},
		"monitoring, from its files": {named, "osm: {osm: {monitoring: {podMonitor: true, rules: true, dashboard: true}}}", nil,
			own(map[string]any{"monitoring": map[string]any{"podMonitor": true, "rules": true, "dashboard": true}})},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := renderParent(t, test.dependency, test.values, test.sets)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(sorted(test.want), sorted(got)); diff != "" {
				t.Errorf("another thing than the chart alone, -want +got:\n%s", diff)
			}
		})
	}
}

func TestWhatAPartGetsWrongIsRefusedByName(t *testing.T) {
	const named = "  - {name: osm, version: '>=0', repository: 'https://charts.example', condition: osm.enabled}\n"
	for name, test := range map[string]struct{ values, want string }{
		"a value one level too high": {"osm: {enabled: true, meshName: shop}", "'meshName'"},
		"a value that is misspelt":   {"osm: {osm: {meshname: shop}}", "'meshname'"},
		"a condition in words":       {`osm: {enabled: "false"}`, "/enabled"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := renderParent(t, named, test.values, nil); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one that names %s", err, test.want)
			}
		})
	}
	if _, err := Chart(Options{Namespace: "osm-system", Values: osm(map[string]any{"enabled": false})}); err == nil || !strings.Contains(err.Error(), "/osm/enabled") {
		t.Errorf("a mesh that is installed, and is not to be: %v", err)
	}
}

// renderParent has Helm render a chart with one object and this dependency, and
// returns the other objects.
func renderParent(t *testing.T, dependency, given string, sets []string) ([]*unstructured.Unstructured, error) {
	t.Helper()
	directory := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(directory, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\ndependencies:\n"+dependency)
	write("values.yaml", given)
	// Helpers of a parent take precedence over those of its parts.
	write("templates/_helpers.tpl", `{{- define "shop.labels" }}app: shop{{ end }}{{- define "labels" }}app: shop{{ end }}`)
	write("templates/own.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: own}\n")
	if err := os.CopyFS(filepath.Join(directory, "charts", "osm"), manifests.Chart()); err != nil {
		t.Fatal(err)
	}
	chart, err := loader.Load(directory)
	if err != nil {
		t.Fatal(err)
	}
	merged, err := (&values.Options{Values: sets}).MergeValues(getter.Providers{})
	if err != nil {
		t.Fatal(err)
	}
	install := action.NewInstall(action.NewConfiguration())
	install.DryRunStrategy, install.ReleaseName, install.Namespace, install.IncludeCRDs = action.DryRunClient, "shop-release", "mesh-system", true
	released, err := install.Run(chart, merged)
	if err != nil {
		return nil, err
	}
	objects, err := Decode(released.(*release.Release).Manifest)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetName() == "own" }), nil
}

// sorted has what objects are, in the order of their names.
func sorted(objects []*unstructured.Unstructured) (all []map[string]any) {
	key := func(o *unstructured.Unstructured) string {
		return o.GetKind() + "/" + o.GetNamespace() + "/" + o.GetName()
	}
	objects = slices.SortedFunc(slices.Values(objects), func(a, b *unstructured.Unstructured) int { return strings.Compare(key(a), key(b)) })
	for _, object := range objects {
		all = append(all, object.Object)
	}
	return all
}
