package rotation

import (
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	corev1informers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/tools/cache"
)

// watch follows the record and the reports.
func (r *Rotation) watch() error {
	r.recorded = r.configMaps(func(list *metav1.ListOptions) {
		list.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, ConfigMapName).String()
	})
	r.reports = r.configMaps(func(list *metav1.ListOptions) { list.LabelSelector = reportLabel })
	_, err := r.recorded.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    r.see,
		UpdateFunc: func(_, object any) { r.see(object) },
		DeleteFunc: func(any) {
			r.Logger.Warn("the record of the trusted roots was deleted; it is written again")
			wake(r.lead)
		},
	})
	_, err2 := r.reports.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    r.hear,
		UpdateFunc: func(_, object any) { r.hear(object) },
		DeleteFunc: r.miss,
	})
	return errors.Join(err, err2)
}

func (r *Rotation) configMaps(tweak func(*metav1.ListOptions)) cache.SharedIndexInformer {
	return corev1informers.NewFilteredConfigMapInformer(r.Client, r.Namespace, 0, cache.Indexers{}, tweak)
}

// see takes in what was recorded. What is malformed, or empty where something was
// recorded, changes nothing, and is written anew by a replica that knows what was
// recorded before.
func (r *Rotation) see(object any) {
	cm, ok := object.(*corev1.ConfigMap)
	if !ok {
		return
	}
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
func (r *Rotation) hear(object any) {
	cm, ok := object.(*corev1.ConfigMap)
	if !ok {
		return
	}
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

func (r *Rotation) miss(object any) {
	key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(object)
	if err != nil {
		return
	}
	_, name, err := cache.SplitMetaNamespaceKey(key)
	if err != nil {
		return
	}
	r.mu.Lock()
	delete(r.others, name)
	r.mu.Unlock()
	wake(r.lead)
	r.Changed()
}
