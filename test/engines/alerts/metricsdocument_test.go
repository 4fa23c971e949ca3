package alerts

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	metricRow     = regexp.MustCompile("(?m)^\\| `(osm_\\w+)` \\| (counter|gauge|histogram) \\| ([^|]*) \\|")
	sidecarFamily = regexp.MustCompile(`family\('(osm_sidecar_\w+)', '(\w+)'`)
)

// TestTheDocumentOfMetricsHasThoseOfTheCode holds the names, types and labels.
// A counter ends in _total and a histogram in _duration_seconds.
func TestTheDocumentOfMetricsHasThoseOfTheCode(t *testing.T) {
	const document = "../../../docs/reference/metrics.md"
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	scripts, err := os.ReadFile("../../../injector/pipy/admin.js")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for name, labels := range metrics(t) {
		switch {
		case strings.HasSuffix(name, "_bucket"), strings.HasSuffix(name, "_sum"), strings.HasSuffix(name, "_count"):
			continue
		case strings.HasSuffix(name, "_total"):
			want[name] = "counter"
		case strings.HasSuffix(name, "_duration_seconds"):
			want[name] = "histogram"
		default:
			want[name] = "gauge"
		}
		labels = slices.DeleteFunc(slices.Clone(labels), func(label string) bool { return label == "" })
		slices.Sort(labels)
		want[name] += " " + strings.Join(labels, " ")
	}
	sidecars := map[string]string{}
	for _, found := range sidecarFamily.FindAllStringSubmatch(string(scripts), -1) {
		sidecars[found[1]] = found[2]
	}
	written := map[string]bool{}
	for _, row := range metricRow.FindAllStringSubmatch(string(text), -1) {
		name := row[1]
		written[name] = true
		if kind, ok := sidecars[name]; ok {
			if kind != row[2] {
				t.Errorf("%s: %s is a %s, not a %s", document, name, kind, row[2])
			}
			continue
		}
		labels := strings.Fields(strings.NewReplacer("`", "", ",", "").Replace(row[3]))
		slices.Sort(labels)
		if got := row[2] + " " + strings.Join(labels, " "); got != want[name] {
			t.Errorf("%s has %s: %q, and the code %q", document, name, got, want[name])
		}
	}
	for name := range want {
		if !written[name] {
			t.Errorf("%s has no %s", document, name)
		}
	}
	if len(sidecars) < 7 {
		t.Errorf("only %d metrics of sidecars are found", len(sidecars))
	}
	for name := range sidecars {
		if !written[name] {
			t.Errorf("%s has no %s", document, name)
		}
	}
}
