package webhook

import "github.com/prometheus/client_golang/prometheus"

// Describe implements prometheus.Collector.
func (s *SecretSource) Describe(descs chan<- *prometheus.Desc) { descs <- s.notAfter() }

// Collect implements prometheus.Collector: when the certificate ends that is
// served, whatever the Secret holds by now. There is no series before the first.
func (s *SecretSource) Collect(metrics chan<- prometheus.Metric) {
	if certificate := s.current.Load(); certificate != nil {
		metrics <- prometheus.MustNewConstMetric(s.notAfter(), prometheus.GaugeValue, float64(certificate.Leaf.NotAfter.Unix()))
	}
}

func (s *SecretSource) notAfter() *prometheus.Desc {
	return prometheus.NewDesc("osm_serving_certificate_not_after_timestamp_seconds",
		"When the certificate expires that the component serves with, in seconds since 1970, by the Secret that it is from.",
		nil, prometheus.Labels{"secret": s.options.Name})
}
