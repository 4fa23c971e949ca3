package rotation

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestMetricsTellWhatEachRootIsFor(t *testing.T) {
	retiring, signs, passive, next := newCA(t), newCA(t), newCA(t), newCA(t)
	n := Situation{Now: time.Now(), Acknowledged: true, AckTimeout: ackTimeout, RetirementPeriod: retirementPeriod}
	both := signs.wanted("root")
	both.Trusted["passive"] = passive.bundle
	s := State{}.Next(retiring.wanted("root"), n).Next(both, n).Next(both, n)
	with := next.wanted("next")
	with.Trusted["root"], with.Trusted["passive"] = signs.bundle, passive.bundle
	s = s.Next(with, n)

	registry := prometheus.NewPedanticRegistry()
	m := NewMetrics(registry)
	m.roots(s)
	families, err := registry.Gather()
	must(t, err)
	for _, family := range families {
		if family.GetName() != "osm_root_not_after_timestamp_seconds" {
			continue
		}
		var got []string
		for _, metric := range family.GetMetric() {
			labels := map[string]string{}
			for _, label := range metric.GetLabel() {
				labels[label.GetName()] = label.GetValue()
			}
			got = append(got, labels["root"]+" "+labels["stage"])
			if len(labels["fingerprint"]) != 64 || metric.GetGauge().GetValue() < float64(time.Now().Unix()) {
				t.Errorf("%v ends at %f", labels, metric.GetGauge().GetValue())
			}
		}
		slices.Sort(got)
		if want := "next distributing, passive trusted, root retiring, root signing"; strings.Join(got, ", ") != want {
			t.Errorf("roots are %q, want %s", got, want)
		}
	}
	m.roots(State{}.Next(Wanted{Signer: signs.bundle, Trusted: map[string]trustbundle.TrustBundle{"root": signs.bundle}}, n))
	if n := testutil.CollectAndCount(m.notAfter); n != 1 {
		t.Errorf("%d roots are left", n)
	}
}
