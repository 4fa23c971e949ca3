package publish

import "github.com/prometheus/client_golang/prometheus"

// Describe implements prometheus.Collector.
func (p *Publisher) Describe(descs chan<- *prometheus.Desc) { descs <- p.failingDesc() }

// Collect implements prometheus.Collector.
func (p *Publisher) Collect(metrics chan<- prometheus.Metric) {
	metrics <- prometheus.MustNewConstMetric(p.failingDesc(), prometheus.GaugeValue, float64(p.failing.Load()))
}

func (p *Publisher) failingDesc() *prometheus.Desc {
	return prometheus.NewDesc("osm_publish_failing_namespaces",
		"Namespaces that the ConfigMap could not be published to, and where that is tried again.",
		nil, prometheus.Labels{"configmap": p.Name})
}
