package injector

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// outcome is how an admission ended.
type outcome string

const (
	outcomeInjected outcome = "injected"
	outcomeSkipped  outcome = "skipped"
	outcomeRefused  outcome = "refused"
	outcomeError    outcome = "error"
)

type metrics struct {
	admissions *prometheus.CounterVec
	duration   prometheus.Histogram
}

func newMetrics(registerer prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		admissions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "osm_injector_admissions_total",
			Help: "Pods asked about, by outcome: injected, skipped, refused or error.",
		}, []string{"outcome"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "osm_injector_admission_duration_seconds",
			Help:    "Time from a decoded AdmissionReview to its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1},
		}),
	}
	// A counter that is there from the start lets a rate see its first step.
	for _, o := range []outcome{outcomeInjected, outcomeSkipped, outcomeRefused, outcomeError} {
		m.admissions.WithLabelValues(string(o))
	}
	if err := errors.Join(registerer.Register(m.admissions), registerer.Register(m.duration)); err != nil {
		return nil, fmt.Errorf("registering the injector's metrics: %w", err)
	}
	return m, nil
}

func (m *metrics) observe(o outcome, took time.Duration) {
	m.admissions.WithLabelValues(string(o)).Inc()
	m.duration.Observe(took.Seconds())
}
