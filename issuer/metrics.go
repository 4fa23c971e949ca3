package issuer

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what a Manager issues, and shows how its issuer is.
type Metrics struct {
	issued      *prometheus.CounterVec
	renewed     *prometheus.CounterVec
	latency     *prometheus.HistogramVec
	open        *prometheus.GaugeVec
	lastSuccess *prometheus.GaugeVec
}

// NewMetrics registers the metrics of a Manager.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		issued: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "osm_certificates_issued_total",
			Help: "Service certificates that were asked of an issuer, by root, outcome (issued, failed) and, of failures, reason.",
		}, []string{"root", "outcome", "reason"}),
		renewed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "osm_certificates_renewed_total",
			Help: "Service certificates that took the place of another, by the root that signed them.",
		}, []string{"root"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "osm_certificate_issue_duration_seconds",
			Help:    "Time to make a key and have it certified.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 10),
		}, []string{"root"}),
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "osm_issuer_circuit_open",
			Help: "1 while the root's issuer fails and is asked rarely, 0 while it works.",
		}, []string{"root"}),
		lastSuccess: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "osm_issuer_last_success_timestamp_seconds",
			Help: "When the root's issuer last issued a certificate, in seconds since 1970.",
		}, []string{"root"}),
	}
	r.MustRegister(m.issued, m.renewed, m.latency, m.open, m.lastSuccess)
	return m
}

func (m *Metrics) observe(root string, took time.Duration, out outcome) {
	if m == nil {
		return
	}
	m.latency.WithLabelValues(root).Observe(took.Seconds())
	if out != granted {
		m.issued.WithLabelValues(root, "failed", string(out)).Inc()
		return
	}
	m.issued.WithLabelValues(root, "issued", "").Inc()
	m.lastSuccess.WithLabelValues(root).SetToCurrentTime()
}

func (m *Metrics) replaced(root string) {
	if m != nil {
		m.renewed.WithLabelValues(root).Inc()
	}
}

// health shows how the issuer of the root that signs is, and of no other.
func (m *Metrics) health(h Health) {
	if m == nil || h.Root == "" {
		return
	}
	m.open.Reset()
	open := m.open.WithLabelValues(h.Root)
	if h.Open {
		open.Set(1)
	}
}
