package issuer_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/osm-edge/osm/issuer"
)

func TestTheMetricsSayHowCertificatesAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewPedanticRegistry()
		fake, down := newFake(t), atomic.Bool{}
		fake.before = failWhile(&down)
		m := startManager(t, issuer.Options{TTL: day, Metrics: issuer.NewMetrics(registry)}, signs("a", fake))
		registry.MustRegister(m)
		mustCount(t, registry, 0, 0, 0, 0)
		first := receive(t, subscribe(t, m, identityOf(t, "bookstore-v1"))).Certificate
		subscribe(t, m, identityOf(t, "bookstore-v2"))
		if _, err := m.IssueCertificate(t.Context(), identityOf(t, "unused")); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		mustCount(t, registry, 2, 0, 0, first.NotAfter().Unix())
		down.Store(true)
		pass(day * 2 / 3)
		mustCount(t, registry, 0, 2, 0, first.NotAfter().Unix())
		pass(day / 3)
		mustCount(t, registry, 0, 0, 2, 0)
		down.Store(false)
		pass(2 * time.Minute)
		if n := testutil.ToFloat64(renewed(t, registry)); n != 2 {
			t.Errorf("%v are renewed, want 2", n)
		}
	})
}

// renewed is the counter of renewals, as a Collector of its own.
func renewed(t *testing.T, registry *prometheus.Registry) prometheus.Collector {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	gauge := prometheus.NewGauge(prometheus.GaugeOpts{Name: "renewed"})
	for _, family := range families {
		if family.GetName() == "osm_certificates_renewed_total" {
			gauge.Set(family.GetMetric()[0].GetCounter().GetValue())
		}
	}
	return gauge
}

// mustCount fails unless the metrics say so; earliest is no metric when zero.
func mustCount(t *testing.T, registry *prometheus.Registry, fresh, overdue, missing int, earliest int64) {
	t.Helper()
	want := fmt.Sprintf(`
		# HELP osm_certificates Service identities that a sidecar uses, by the state of their certificate: fresh, overdue for its renewal, or missing.
		# TYPE osm_certificates gauge
		osm_certificates{state="fresh"} %d
		osm_certificates{state="missing"} %d
		osm_certificates{state="overdue"} %d
	`, fresh, missing, overdue)
	if earliest != 0 {
		want += fmt.Sprintf(`
		# HELP osm_certificate_earliest_not_after_timestamp_seconds When the first of the service certificates in use expires, in seconds since 1970.
		# TYPE osm_certificate_earliest_not_after_timestamp_seconds gauge
		osm_certificate_earliest_not_after_timestamp_seconds %d
		`, earliest)
	}
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "osm_certificates", "osm_certificate_earliest_not_after_timestamp_seconds"); err != nil {
		t.Error(err)
	}
}
