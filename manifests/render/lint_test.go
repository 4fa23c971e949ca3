package render

import (
	"maps"
	"slices"
	"testing"

	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
)

func TestHelmHasNothingToSayAgainstTheChart(t *testing.T) {
	for _, values := range slices.Collect(maps.Values(goldens)) {
		for _, message := range lint.RunAll("../chart", osm(values), "osm-system").Messages {
			if message.Severity > support.InfoSev {
				t.Error(message)
			}
		}
	}
}
