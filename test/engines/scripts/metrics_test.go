package scripts

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMetricsAreAsOsmCheckReadsThem is of the file that the tests of osm check
// read.
func TestMetricsAreAsOsmCheckReadsThem(t *testing.T) {
	want, err := os.ReadFile(source + "/testdata/metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	f := load(t)
	encoded := f.eval(t, `(function () {
		var undeclared = scripts.undeclared.default()
		undeclared.connection(9090)({ headers: { date: 'd' } })
		for (var n = 0; n < 70; n++) undeclared.connection(8080 + n)({ headers: { date: 'd' } })
		var counters = { inbound: 71, outbound: 2, denied: 1, undeclared: undeclared }
		return scripts.admin.metrics({ held: function () { return null } }, { connected: true, updates: 1, nacks: 0 }, counters).body
	})()`)
	var got string
	if err := json.Unmarshal([]byte(encoded), &got); err != nil {
		t.Fatal(err, encoded)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}
