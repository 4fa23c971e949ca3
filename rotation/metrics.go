package rotation

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/osm-edge/osm/trust"
)

// Metrics tell how far the replacement of a root has come. The replica that
// leads tells it.
type Metrics struct {
	step    *prometheus.GaugeVec
	pods    prometheus.Gauge
	missing prometheus.Gauge
}

// NewMetrics registers the metrics.
func NewMetrics(registerer prometheus.Registerer) *Metrics {
	m := &Metrics{
		step: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "osm_rotation_step",
			Help: "1 for the step of the rotation of roots that the mesh is at: settled, distribute, sign or retire. Told by the replica that leads.",
		}, []string{"step"}),
		pods: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "osm_rotation_pods",
			Help: "Pods that have to acknowledge the trusted roots. Told by the replica that leads.",
		}),
		missing: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "osm_rotation_pods_missing",
			Help: "Pods that have not acknowledged the roots that are being distributed. Told by the replica that leads.",
		}),
	}
	registerer.MustRegister(m.step, m.pods, m.missing)
	return m
}

func (m *Metrics) progress(p Progress) {
	if m == nil {
		return
	}
	for _, step := range []trust.Step{trust.Settled, trust.Distribute, trust.Sign, trust.Retire} {
		value := 0.0
		if step == p.Step {
			value = 1
		}
		m.step.WithLabelValues(name(step)).Set(value)
	}
	m.pods.Set(float64(p.Pods))
	m.missing.Set(float64(len(p.Missing)))
}

func name(step trust.Step) string {
	if step == trust.Settled {
		return "settled"
	}
	return string(step)
}
