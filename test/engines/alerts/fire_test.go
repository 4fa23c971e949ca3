package alerts

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// TestAlertsFireWhenTheyShould evaluates expressions after an hour. Series are
// as promtool has them, a sample a minute; time begins at 0.
func TestAlertsFireWhenTheyShould(t *testing.T) {
	tests := map[string]struct {
		alert  string
		series []string
		want   []string // the labels of what fires
	}{
		"all components are ready":           {"OSMComponentDown", ready(1, 1, 1), nil},
		"one component is absent":            {"OSMComponentDown", ready(1, 1), []string{`{component="osm-injector"}`}},
		"one component is not ready":         {"OSMComponentDown", ready(1, 0, 1), []string{`{component="osm-controller"}`}},
		"one replica of two is not ready":    {"OSMComponentDown", append(ready(1, 1, 1), `osm_ready{component="osm-injector",pod="d"} 0x60`), nil},
		"one replica is not ready":           {"OSMReplicaNotReady", ready(1, 0, 1), []string{`{__name__="osm_ready", component="osm-controller", pod="a"}`}},
		"osm-bootstrap does all its steps":   {"OSMBootstrapWarns", []string{`osm_warnings{component="osm-bootstrap"} 0x60`}, nil},
		"a step of osm-bootstrap fails":      {"OSMBootstrapWarns", []string{`osm_warnings{component="osm-bootstrap"} 2x60`}, []string{`{component="osm-bootstrap"}`}},
		"nothing is scraped":                 {"OSMComponentDown", nil, []string{`{component="osm-bootstrap"}`, `{component="osm-controller"}`, `{component="osm-injector"}`}},
		"a root of years":                    {"OSMRootEndsSoon", []string{root("signing", 400)}, nil},
		"a root of days":                     {"OSMRootEndsSoon", []string{root("signing", 29)}, []string{`{fingerprint="f", root="a"}`}},
		"a root of days that is retired":     {"OSMRootEndsSoon", []string{root("retiring", 1)}, nil},
		"a root of days is not the end":      {"OSMRootEnds", []string{root("signing", 29)}, nil},
		"a root of hours is the end":         {"OSMRootEnds", []string{root("signing", 1)}, []string{`{fingerprint="f", root="a"}`}},
		"a webhook's certificate of years":   {"OSMServingCertificateEnds", []string{serving("osm-injector-tls", 3000*24)}, nil},
		"a webhook's certificate of days":    {"OSMServingCertificateEnds", []string{serving("osm-injector-tls", 6*24)}, []string{`{secret="osm-injector-tls"}`}},
		"the certificate of SDS, of hours":   {"OSMServingCertificateEnds", []string{serving("osm-controller-tls", 12)}, nil},
		"the certificate of SDS, of minutes": {"OSMServingCertificateEnds", []string{serving("osm-controller-tls", 0.5)}, []string{`{secret="osm-controller-tls"}`}},
		"some signing fails":                 {"OSMSigningImpossible", []string{issued("issued", "", "0+1x60"), issued("failed", "unavailable", "0+1x60")}, nil},
		"all signing fails":                  {"OSMSigningImpossible", []string{issued("issued", "", "9x60"), issued("failed", "unavailable", "0+1x60")}, []string{`{}`}},
		"nothing was ever signed":            {"OSMSigningImpossible", []string{issued("failed", "timeout", "0+1x60")}, []string{`{}`}},
		"one identity is refused for ever":   {"OSMSigningImpossible", []string{issued("failed", "refused", "0+1x60")}, nil},
		"the issuer works":                   {"OSMIssuerCircuitOpen", []string{`osm_issuer_circuit_open{root="r",pod="a"} 0x60`}, nil},
		"one replica's issuer fails":         {"OSMIssuerCircuitOpen", []string{`osm_issuer_circuit_open{root="r",pod="a"} 0x60`, `osm_issuer_circuit_open{root="r",pod="b"} 1x60`}, []string{`{root="r"}`}},
		"no certificate is missing":          {"OSMCertificatesMissing", []string{certificates("missing", 0)}, nil},
		"a certificate is missing":           {"OSMCertificatesMissing", []string{certificates("missing", 1)}, []string{`{}`}},
		"a certificate is overdue":           {"OSMCertificatesOverdue", []string{certificates("overdue", 1)}, []string{`{}`}},
		"a short certificate, renewed":       {"OSMCertificatesEnd", []string{earliest, certificates("overdue", 0)}, nil},
		"a short certificate, unrenewed":     {"OSMCertificatesEnd", []string{earliest, certificates("overdue", 1)}, []string{`{}`}},
		"a rotation at retire":               {"OSMRotationStuck", []string{`osm_rotation_step{step="distribute"} 0x60`, `osm_rotation_step{step="retire"} 1x60`}, nil},
		"a rotation at distribute":           {"OSMRotationStuck", []string{`osm_rotation_step{step="distribute"} 1x60`}, []string{`{step="distribute"}`}},
		"pods are missing":                   {"OSMRotationPodsMissing", []string{`osm_rotation_pods_missing 2x60`}, []string{`{}`}},
		"no publication fails":               {"OSMPublishFails", []string{`osm_publish_failing_namespaces{configmap="c"} 0x60`}, nil},
		"a publication fails":                {"OSMPublishFails", []string{`osm_publish_failing_namespaces{configmap="c"} 3x60`}, []string{`{configmap="c"}`}},
		"the injector failed once, long ago": {"OSMInjectionFails", []string{admitted("failed", "1x60")}, nil},
		"the injector fails":                 {"OSMInjectionFails", []string{admitted("failed", "0+1x60")}, []string{`{reason="r"}`}},
		"pods are refused":                   {"OSMPodsRefused", []string{admitted("refused", "0+1x60")}, []string{`{reason="r"}`}},
		"pods that have ended are refused":   {"OSMSidecarsRefused", []string{`osm_sds_refusals_total{reason="pod_gone"} 0+100x60`}, nil},
		"a few sidecars are refused":         {"OSMSidecarsRefused", []string{`osm_sds_refusals_total{reason="audience"} 0+1x60`}, nil},
		"many sidecars are refused":          {"OSMSidecarsRefused", []string{`osm_sds_refusals_total{reason="audience"} 0+5x60`}, []string{`{reason="audience"}`}},
		"a sidecar rejects":                  {"OSMSidecarsReject", []string{`osm_sds_nacks_total 0+1x60`}, []string{`{}`}},
	}
	silent := rules(t)
	for name, test := range tests {
		if test.want != nil {
			delete(silent, test.alert)
		}
		t.Run(name, func(t *testing.T) {
			if got := evaluate(t, rules(t)[test.alert].Expr, test.series); !slices.Equal(got, test.want) {
				t.Errorf("%s fires for %q, want %q", test.alert, got, test.want)
			}
		})
	}
	for name := range silent {
		t.Errorf("nothing here makes %s fire", name)
	}
}

const earliest = "osm_certificate_earliest_not_after_timestamp_seconds 5000x60"

// ready are the components in order, and whether they are.
func ready(values ...int) (series []string) {
	for i, component := range []string{"osm-bootstrap", "osm-controller", "osm-injector"}[:len(values)] {
		series = append(series, fmt.Sprintf(`osm_ready{component=%q,pod="a"} %dx60`, component, values[i]))
	}
	return series
}

func root(stage string, days int) string {
	return fmt.Sprintf(`osm_root_not_after_timestamp_seconds{root="a",fingerprint="f",stage=%q,pod="a"} %dx60`, stage, 3600+days*86400)
}

func serving(secret string, hours float64) string {
	return fmt.Sprintf(`osm_serving_certificate_not_after_timestamp_seconds{secret=%q,pod="a"} %.0fx60`, secret, 3600+hours*3600)
}

func issued(outcome, reason, values string) string {
	return fmt.Sprintf(`osm_certificates_issued_total{root="r",outcome=%q,reason=%q} %s`, outcome, reason, values)
}

func certificates(state string, n int) string {
	return fmt.Sprintf(`osm_certificates{state=%q,pod="a"} %dx60`, state, n)
}

func admitted(decision, values string) string {
	return fmt.Sprintf(`osm_injector_admissions_total{decision=%q,reason="r"} %s`, decision, values)
}

// evaluate returns the labels of what an expression gives after an hour.
func evaluate(t *testing.T, expression string, series []string) (fires []string) {
	t.Helper()
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 10000, Timeout: time.Minute})
	query, err := engine.NewInstantQuery(t.Context(), stored(t, series), nil, expression, time.Unix(3600, 0))
	if err != nil {
		t.Fatal(err)
	}
	defer query.Close()
	result := query.Exec(t.Context())
	vector, err := result.Vector()
	if err != nil {
		t.Fatal(err)
	}
	for _, sample := range vector {
		fires = append(fires, sample.Metric.String())
	}
	slices.Sort(fires)
	return fires
}

// stored is a Prometheus with these series.
func stored(t *testing.T, series []string) storage.Queryable {
	t.Helper()
	var all []storage.Series
	for _, line := range series {
		metric, values, err := parser.ParseSeriesDesc(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		var points []chunks.Sample
		for i, value := range values {
			points = append(points, point{time: int64(i) * time.Minute.Milliseconds(), value: value.Value})
		}
		all = append(all, storage.NewListSeries(metric, points))
	}
	return &storage.MockQueryable{MockQuerier: &storage.MockQuerier{
		SelectMockFunction: func(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
			return &selection{left: slices.DeleteFunc(slices.Clone(all), func(s storage.Series) bool {
				return slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(s.Labels().Get(m.Name)) })
			})}
		},
	}}
}

// point is a sample that is no histogram.
type point struct {
	chunks.Sample
	time  int64
	value float64
}

func (p point) T() int64                 { return p.time }
func (p point) ST() int64                { return 0 }
func (p point) F() float64               { return p.value }
func (p point) Type() chunkenc.ValueType { return chunkenc.ValFloat }
func (p point) Copy() chunks.Sample      { return p }

// selection is a storage.SeriesSet.
type selection struct {
	left    []storage.Series
	current storage.Series
}

func (s *selection) Next() bool {
	if len(s.left) == 0 {
		return false
	}
	s.current, s.left = s.left[0], s.left[1:]
	return true
}

func (s *selection) At() storage.Series                { return s.current }
func (s *selection) Err() error                        { return nil }
func (s *selection) Warnings() annotations.Annotations { return nil }
