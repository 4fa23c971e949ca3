package rotation

import (
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/manifests/follow"
)

// watch follows the record and the reports.
func (r *Rotation) watch() {
	configMaps := r.Client.CoreV1().ConfigMaps(r.Namespace)
	r.recorded = follow.New[*corev1.ConfigMap](configMaps, follow.Options{Name: ConfigMapName, Client: r.Client, Logger: r.Logger})
	r.recorded.On(r.see, func(*corev1.ConfigMap) {
		r.Logger.Warn("the record of the trusted roots was deleted; it is written again")
		wake(r.lead)
	})
	r.reports = follow.New[*corev1.ConfigMap](configMaps, follow.Options{Labels: reportLabel, Client: r.Client, Logger: r.Logger})
	r.reports.On(r.hear, r.miss)
}

// see takes in what was recorded. What is malformed, or empty where something was
// recorded, changes nothing, and is written anew by a replica that knows what was
// recorded before.
func (r *Rotation) see(cm *corev1.ConfigMap) {
	state, err := Parse(cm.Data)
	if _, known := r.State(); err == nil && known && state.Bundle().IsEmpty() {
		err = errors.New("it is empty")
	}
	r.malformed.Store(err != nil)
	if err != nil {
		r.Logger.Error("the record of the trusted roots is malformed, and is written anew", "configmap", cm.Namespace+"/"+cm.Name, "error", err)
		if _, known := r.State(); !known {
			r.salvage(cm)
		}
		wake(r.report)
		wake(r.lead)
		return
	}
	if state.Bundle().IsEmpty() {
		return
	}
	r.state.Store(&seen{state, cm.ResourceVersion})
	r.Metrics.roots(state)
	wake(r.report)
	wake(r.lead)
	r.Changed()
}

// salvage takes in what can be read of a record that is malformed.
func (r *Rotation) salvage(cm *corev1.ConfigMap) {
	if state := Salvage(cm.Data, time.Now()); !state.Bundle().IsEmpty() {
		r.state.Store(&seen{state, cm.ResourceVersion})
	}
}

// hear takes in another replica's report, or this one's own.
func (r *Rotation) hear(cm *corev1.ConfigMap) {
	report, err := parseReport(cm)
	if err != nil {
		r.Logger.Warn("a report is malformed and does not count", "configmap", cm.Namespace+"/"+cm.Name, "error", err)
		return
	}
	r.mu.Lock()
	r.others[cm.Name] = sighting{report, time.Now()}
	if report.Bundle == "" {
		delete(r.others, cm.Name)
	}
	r.mu.Unlock()
	wake(r.lead)
	r.Changed()
}

func (r *Rotation) miss(cm *corev1.ConfigMap) {
	r.mu.Lock()
	delete(r.others, cm.Name)
	r.mu.Unlock()
	wake(r.lead)
	r.Changed()
}
