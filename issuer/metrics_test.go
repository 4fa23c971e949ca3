package issuer_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/osm-edge/osm/issuer"
)

func TestIssuancesAreCountedByRootAndOutcome(t *testing.T) {
	registry := prometheus.NewRegistry()
	fake, down := newFake(t), atomic.Bool{}
	fake.before = failWhile(&down)
	m := newManager(t, issuer.Options{Metrics: issuer.NewMetrics(registry)}, active("a", fake))
	id := identity(t, "bookstore-v1")
	for _, fails := range []bool{false, false, true} {
		down.Store(fails)
		if _, err := m.RotateCertificate(t.Context(), id); (err != nil) != fails {
			t.Fatal(err)
		}
	}
	want := `
		# HELP osm_certificates_issued_total Service certificates that were asked of an issuer, by root and outcome (issued, failed).
		# TYPE osm_certificates_issued_total counter
		osm_certificates_issued_total{outcome="failed",root="a"} 1
		osm_certificates_issued_total{outcome="issued",root="a"} 2
	`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "osm_certificates_issued_total"); err != nil {
		t.Error(err)
	}
	if n := testutil.CollectAndCount(registry, "osm_certificate_issue_duration_seconds"); n != 1 {
		t.Errorf("the durations have %d series", n)
	}
}
