package sidecar

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics serves the counters to Prometheus.
func (s *Sidecar) metrics() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(newCollector(s)) // fails only if two collectors clash
	mux := http.NewServeMux()
	mux.Handle("GET /stats/prometheus", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return mux
}

// collector reads what the sidecar counts anyhow.
type collector struct {
	sidecar                                                            *Sidecar
	expiry, connections, denied, undeclared, connected, updates, nacks *prometheus.Desc
}

func newCollector(s *Sidecar) *collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("osm_sidecar_"+name, help, labels, nil)
	}
	return &collector{
		sidecar:     s,
		expiry:      desc("certificate_expiry_timestamp_seconds", "When the certificate expires, in seconds since the epoch."),
		connections: desc("connections_total", "Mutual TLS connections to and from verified peers.", "direction"),
		denied:      desc("denied_total", "Peers that were not let in or not called for who they are."),
		undeclared:  desc("undeclared_http_total", "Connections on which the application answered HTTP, at a port that is not declared HTTP.", "port"),
		connected:   desc("sds_connected", "1 while there is a stream to the control plane."),
		updates:     desc("sds_updates_total", "Secrets of the control plane that were accepted."),
		nacks:       desc("sds_nacks_total", "Secrets of the control plane that were rejected."),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, out) }

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	counters := &c.sidecar.counters
	send := func(desc *prometheus.Desc, kind prometheus.ValueType, value int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, kind, float64(value), labels...)
	}
	if leaf := c.sidecar.State().Leaf(); leaf != nil {
		send(c.expiry, prometheus.GaugeValue, leaf.NotAfter.Unix())
	}
	send(c.connections, prometheus.CounterValue, counters.inbound.Load(), "inbound")
	send(c.connections, prometheus.CounterValue, counters.outbound.Load(), "outbound")
	send(c.denied, prometheus.CounterValue, counters.denied.Load())
	for port, n := range c.sidecar.undeclared.counted() {
		send(c.undeclared, prometheus.CounterValue, n, port)
	}
	var connected int64
	if counters.connected.Load() {
		connected = 1
	}
	send(c.connected, prometheus.GaugeValue, connected)
	send(c.updates, prometheus.CounterValue, counters.updates.Load())
	send(c.nacks, prometheus.CounterValue, counters.nacks.Load())
}
