package issuer_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/test/testkit"
)

func TestIssuancesAreCountedByRootOutcomeAndReason(t *testing.T) {
	registry := prometheus.NewRegistry()
	fake, down := newFake(t), atomic.Bool{}
	fake.before = failWhile(&down)
	m := newManager(t, issuer.Options{Metrics: issuer.NewMetrics(registry)}, signs("a", fake))
	id := identityOf(t, "bookstore-v1")
	for _, fails := range []bool{false, false, true} {
		down.Store(fails)
		if _, err := m.RotateCertificate(t.Context(), id); (err != nil) != fails {
			t.Fatal(err)
		}
	}
	want := `
		# HELP osm_certificates_issued_total Service certificates that were asked of an issuer, by root, outcome (issued, failed) and, of failures, reason.
		# TYPE osm_certificates_issued_total counter
		osm_certificates_issued_total{outcome="failed",reason="unavailable",root="a"} 1
		osm_certificates_issued_total{outcome="issued",reason="",root="a"} 2
	`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "osm_certificates_issued_total"); err != nil {
		t.Error(err)
	}
	if n := testutil.CollectAndCount(registry, "osm_certificate_issue_duration_seconds"); n != 1 {
		t.Errorf("the durations have %d series", n)
	}
}

func TestAFailureIsCountedWithItsReason(t *testing.T) {
	fails := func(err error) func(context.Context) error { return func(context.Context) error { return err } }
	tests := map[string]struct {
		before func(context.Context) error
		maxTTL time.Duration
		want   string
	}{
		"the issuer fails":                    {fails(errDown), 0, "unavailable"},
		"the issuer does not answer":          {takes(time.Hour), 0, "timeout"},
		"the issuer certifies something else": {nil, time.Nanosecond, "unusable"},
		"the issuer refuses":                  {fails(errRefused), 0, "refused"},
		"the caller gives up":                 {takes(20 * time.Second), 0, "abandoned"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				registry := prometheus.NewRegistry()
				fake := newFake(t)
				fake.before, fake.maxTTL = test.before, test.maxTTL
				m := newManager(t, issuer.Options{Metrics: issuer.NewMetrics(registry)}, signs("a", fake))
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if test.want == "abandoned" {
					time.AfterFunc(10*time.Second, cancel)
				}
				if _, err := m.IssueCertificate(ctx, identityOf(t, "bookstore-v1")); err == nil {
					t.Fatal("there is no error")
				}
				want := `
					# HELP osm_certificates_issued_total Service certificates that were asked of an issuer, by root, outcome (issued, failed) and, of failures, reason.
					# TYPE osm_certificates_issued_total counter
					osm_certificates_issued_total{outcome="failed",reason="` + test.want + `",root="a"} 1
				`
				if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "osm_certificates_issued_total"); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestMetricsShowHowTheIssuerOfTheSigningRootIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		want := func(metrics string) {
			t.Helper()
			if err := testutil.GatherAndCompare(registry, strings.NewReader(metrics), "osm_issuer_circuit_open", "osm_issuer_last_success_timestamp_seconds"); err != nil {
				t.Error(err)
			}
		}
		const head = `
			# HELP osm_issuer_circuit_open 1 while the root's issuer fails and is asked rarely, 0 while it works.
			# TYPE osm_issuer_circuit_open gauge
		`
		m, _, down := openCircuit(t, issuer.Options{Metrics: issuer.NewMetrics(registry)})
		want(head + `osm_issuer_circuit_open{root="a"} 1` + "\n")

		setTrust(t, m, signs("b", testkit.CA(t)))
		want(head + `osm_issuer_circuit_open{root="b"} 0` + "\n")

		down.Store(false)
		if _, err := m.IssueCertificate(t.Context(), identityOf(t, "bookstore-v1")); err != nil {
			t.Fatal(err)
		}
		want(head + `osm_issuer_circuit_open{root="b"} 0
			# HELP osm_issuer_last_success_timestamp_seconds When the root's issuer last issued a certificate, in seconds since 1970.
			# TYPE osm_issuer_last_success_timestamp_seconds gauge
			osm_issuer_last_success_timestamp_seconds{root="b"} 9.466848e+08
		`)
	})
}
