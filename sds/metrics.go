package sds

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what a Server does.
type Metrics struct {
	streams  prometheus.Gauge
	pushes   prometheus.Counter
	acks     prometheus.Counter
	nacks    prometheus.Counter
	refusals *prometheus.CounterVec
}

// NewMetrics registers the metrics of a Server.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := newMetrics()
	r.MustRegister(m.streams, m.pushes, m.acks, m.nacks, m.refusals)
	return m
}

func newMetrics() *Metrics {
	return &Metrics{
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "osm_sds_streams",
			Help: "Streams of attested proxies that are open.",
		}),
		pushes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "osm_sds_pushes_total",
			Help: "Responses with secrets that were sent to proxies.",
		}),
		acks: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "osm_sds_acks_total",
			Help: "Responses that proxies accepted.",
		}),
		nacks: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "osm_sds_nacks_total",
			Help: "Responses that proxies rejected.",
		}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "osm_sds_refusals_total",
			Help: "Streams that were refused or ended, by reason.",
		}, []string{"reason"}),
	}
}
