package rotation

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/osm-edge/osm/issuer/trustbundle"
)

// Metrics tell what roots there are, and how far the replacement of one has come.
type Metrics struct {
	notAfter *prometheus.GaugeVec
	step     *prometheus.GaugeVec
	pods     prometheus.Gauge
	missing  prometheus.Gauge
	leaves   *prometheus.GaugeVec
}

// NewMetrics registers the metrics.
func NewMetrics(registerer prometheus.Registerer) *Metrics {
	m := &Metrics{
		notAfter: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "osm_root_not_after_timestamp_seconds",
			Help: "When a trusted root expires, in seconds since 1970, by its MeshRootCertificate, its SHA-256 and its stage: signing, distributing, trusted or retiring.",
		}, []string{"root", "fingerprint", "stage"}),
		step: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "osm_rotation_step",
			Help: "1 for the step of the rotation of roots that the mesh is at: idle, distribute, sign or retire. Written by the leader.",
		}, []string{"step"}),
		pods: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "osm_rotation_pods",
			Help: "Pods that have to acknowledge the trusted roots. Written by the leader.",
		}),
		missing: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "osm_rotation_pods_missing",
			Help: "Pods that have not acknowledged the roots that are being distributed. Written by the leader.",
		}),
		leaves: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "osm_rotation_certificates",
			Help: "Service certificates in use: current, those of the root that signs, and outdated, the others. Written by the leader.",
		}, []string{"state"}),
	}
	registerer.MustRegister(m.notAfter, m.step, m.pods, m.missing, m.leaves)
	return m
}

// roots shows the roots of a state, and no others.
func (m *Metrics) roots(s State) {
	if m == nil {
		return
	}
	m.notAfter.Reset()
	for _, r := range s.Bundle().Roots() {
		m.notAfter.WithLabelValues(s.Source(r), trustbundle.Fingerprint(r), string(s.Stage(r))).Set(float64(r.NotAfter.Unix()))
	}
}

func (m *Metrics) progress(p Progress) {
	if m == nil {
		return
	}
	for _, step := range []Step{Idle, Distribute, Sign, Retire} {
		value := 0.0
		if step == p.Step {
			value = 1
		}
		m.step.WithLabelValues(name(step)).Set(value)
	}
	m.pods.Set(float64(p.Pods))
	m.missing.Set(float64(len(p.Missing)))
	m.leaves.WithLabelValues("current").Set(float64(p.Current))
	m.leaves.WithLabelValues("outdated").Set(float64(p.Total - p.Current))
}

func name(step Step) string {
	if step == Idle {
		return "idle"
	}
	return string(step)
}
