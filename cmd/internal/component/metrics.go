package component

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
)

// registerState adds what an alert needs to know of the daemon itself: that it
// is there at all, whether it is ready, and which release it is. It does not
// depend on how a Prometheus names what it scrapes.
func (s *OpsServer) registerState() {
	who := prometheus.Labels{"component": s.Component}
	s.Registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name:        "osm_ready",
			Help:        "1 while the component is ready, as at /readyz, and 0 while it is not.",
			ConstLabels: who,
		}, func() float64 {
			if s.Ready() != nil {
				return 0
			}
			return 1
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name:        "osm_warnings",
			Help:        "Problems that /readyz lists though the component may be ready.",
			ConstLabels: who,
		}, func() float64 {
			if s.Warnings == nil {
				return 0
			}
			return float64(len(s.Warnings()))
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name:        "osm_build_info",
			Help:        "1, with the release of the component and of Go.",
			ConstLabels: prometheus.Labels{"component": s.Component, "version": Version(), "go": runtime.Version()},
		}, func() float64 { return 1 }),
	)
}
