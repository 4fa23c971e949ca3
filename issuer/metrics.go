package issuer

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what a Manager issues.
type Metrics struct {
	issued  *prometheus.CounterVec
	latency *prometheus.HistogramVec
}

// NewMetrics registers the metrics of a Manager.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		issued: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "osm_certificates_issued_total",
			Help: "Service certificates that were asked of an issuer, by root and outcome (issued, failed).",
		}, []string{"root", "outcome"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "osm_certificate_issue_duration_seconds",
			Help:    "Time to make a key and have it certified.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 10),
		}, []string{"root"}),
	}
	r.MustRegister(m.issued, m.latency)
	return m
}

func (m *Metrics) observe(root string, took time.Duration, err error) {
	if m == nil {
		return
	}
	outcome := "issued"
	if err != nil {
		outcome = "failed"
	}
	m.issued.WithLabelValues(root, outcome).Inc()
	m.latency.WithLabelValues(root).Observe(took.Seconds())
}
