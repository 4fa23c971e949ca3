package injector

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	admissions *prometheus.CounterVec
	duration   prometheus.Histogram
}

func newMetrics(registerer prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		admissions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "osm_injector_admissions_total",
			Help: "Pods asked about, by decision (injected, skipped, refused or failed) and its reason.",
		}, []string{"decision", "reason"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "osm_injector_admission_duration_seconds",
			Help:    "Time from a decoded AdmissionReview to its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1},
		}),
	}
	// A counter that is there from the start lets a rate see its first step.
	for decision, of := range reasons() {
		for _, reason := range of {
			m.admissions.WithLabelValues(string(decision), string(reason))
		}
	}
	if err := errors.Join(registerer.Register(m.admissions), registerer.Register(m.duration)); err != nil {
		return nil, fmt.Errorf("registering the injector's metrics: %w", err)
	}
	return m, nil
}

func (m *metrics) observe(r Result, took time.Duration) {
	m.admissions.WithLabelValues(string(r.Decision), string(r.Reason)).Inc()
	m.duration.Observe(took.Seconds())
}
