package main

import (
	"errors"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/manifests"
)

// webhook does with objects what the mesh's webhook does with their pods.
type webhook struct {
	config     *injector.Config
	meshName   string
	namespace  string // of objects that name none
	namespaces map[string]*corev1.Namespace
	newProxyID func() string
	report     io.Writer // a line an object, and its warnings
}

// review changes the pods of documents, once it knows all their namespaces.
func (w *webhook) review(documents []document) error {
	var problems []error
	for _, d := range documents {
		problems = append(problems, w.learn(d))
	}
	for i := range documents {
		d := &documents[i]
		changed, err := w.inject(*d)
		if changed && err == nil {
			err = d.encode()
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// learn takes the labels and annotations of namespaces among the objects.
func (w *webhook) learn(d document) error {
	return each(d.source, d.object, func(u *unstructured.Unstructured) error {
		if u.GroupVersionKind().GroupKind().String() != "Namespace" {
			return nil
		}
		namespace := &corev1.Namespace{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, namespace); err != nil {
			return fmt.Errorf("namespace %s: %w", u.GetName(), err)
		}
		w.namespaces[namespace.Name] = namespace
		return nil
	})
}

// inject changes the pods of a document's object, in place, and tells whether it
// did. The error is of every pod that is refused.
func (w *webhook) inject(d document) (changed bool, err error) {
	err = each(d.source, d.object, func(u *unstructured.Unstructured) error {
		did, err := w.injectOne(u)
		changed = changed || did
		return err
	})
	return changed, err
}

// injectOne changes the pods of an object, and says of one that it does not know
// that it did not look at it.
func (w *webhook) injectOne(u *unstructured.Unstructured) (changed bool, err error) {
	namespace := w.namespaceOf(u)
	name := fmt.Sprintf("%s %s/%s", u.GetKind(), namespace.Name, nameOf(u))
	places, looked, err := podsOf(u)
	if err != nil {
		return false, fmt.Errorf("%s: %w", name, err)
	}
	if !looked {
		fmt.Fprintf(w.report, "%s: not looked at: the kind %s is unknown, and no pod template was found in it\n", name, u.GroupVersionKind().GroupKind())
	}
	var problems []error
	for _, p := range places {
		name := name
		if p.found != "" {
			name += ", " + p.found
		}
		did, err := w.injectPod(p, name, namespace)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", name, err))
		}
		changed = changed || did
	}
	return changed, errors.Join(problems...)
}

// injectPod does with one pod, or with what is made of a template, what the
// webhook does.
func (w *webhook) injectPod(p place, name string, namespace *corev1.Namespace) (changed bool, err error) {
	raw, err := p.encode()
	if err == nil {
		err = readable(raw)
	}
	if err != nil && p.found != "" {
		// It looks like a template only.
		fmt.Fprintf(w.report, "%s: not looked at: %v\n", name, err)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	result := w.config.Inject(raw, namespace, w.newProxyID())
	for _, warning := range result.Warnings {
		fmt.Fprintf(w.report, "%s: warning: %s\n", name, warning)
	}
	fmt.Fprintf(w.report, "%s: %s: %s\n", name, result.Decision, result.Reason)
	if result.Err != nil {
		return false, result.Err
	}
	if len(result.Patch) == 0 {
		return false, nil
	}
	if err := p.apply(result, raw); err != nil {
		return false, fmt.Errorf("change the pod: %w", err)
	}
	return true, nil
}

// namespaceOf returns the namespace of an object: one that nothing is known of
// is taken as one of the mesh.
func (w *webhook) namespaceOf(u *unstructured.Unstructured) *corev1.Namespace {
	name := u.GetNamespace()
	if name == "" {
		name = w.namespace
	}
	if known, ok := w.namespaces[name]; ok {
		return known
	}
	namespace := &corev1.Namespace{}
	namespace.Name = name
	namespace.Labels = manifests.MonitoredBy(w.meshName)
	return namespace
}
