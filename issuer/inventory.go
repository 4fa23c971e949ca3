package issuer

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	certificatesDesc = prometheus.NewDesc("osm_certificates",
		"Service identities that a sidecar uses, by the state of their certificate: fresh, overdue for its renewal, or missing.",
		[]string{"state"}, nil)
	earliestDesc = prometheus.NewDesc("osm_certificate_earliest_not_after_timestamp_seconds",
		"When the first of the service certificates in use expires, in seconds since 1970.", nil, nil)
)

// inventory is the state of the certificates that have subscribers.
type inventory struct {
	fresh, overdue, missing int
	earliest                time.Time // zero without any
}

// inventory counts. One that another root than that which signs has signed is
// fresh: its replacement is a rotation's matter.
func (m *Manager) inventory() (i inventory) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	for _, e := range m.entries {
		switch {
		case len(e.subscriptions) == 0:
			continue
		case !m.valid(e):
			i.missing++
			continue
		case now.After(e.replacedAt()):
			i.overdue++
		default:
			i.fresh++
		}
		if end := e.certificate.NotAfter(); i.earliest.IsZero() || end.Before(i.earliest) {
			i.earliest = end
		}
	}
	return i
}

// Describe implements prometheus.Collector.
func (m *Manager) Describe(descs chan<- *prometheus.Desc) {
	descs <- certificatesDesc
	descs <- earliestDesc
}

// Collect implements prometheus.Collector. Identities are told in sum: a series
// for each would be more than a Prometheus bears of a large mesh.
func (m *Manager) Collect(metrics chan<- prometheus.Metric) {
	i := m.inventory()
	for state, n := range map[string]int{"fresh": i.fresh, "overdue": i.overdue, "missing": i.missing} {
		metrics <- prometheus.MustNewConstMetric(certificatesDesc, prometheus.GaugeValue, float64(n), state)
	}
	if !i.earliest.IsZero() {
		metrics <- prometheus.MustNewConstMetric(earliestDesc, prometheus.GaugeValue, float64(i.earliest.Unix()))
	}
}
