package main

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/osm-edge/osm/cmd/internal/injection"
	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/manifests/render"
)

const injectorName = "osm-injector"

// injectorSettings are those that the osm-injector of a mesh has which is
// installed in namespace with these values: its arguments are read from what
// the chart renders. Sidecars are native unless the values say otherwise, as
// with every Kubernetes from 1.32 on.
func injectorSettings(namespace string, values map[string]any) (injector.Settings, error) {
	container, err := injectorContainer(namespace, values)
	if err != nil {
		return injector.Settings{}, err
	}
	options, err := injection.Parse(injectorName, arguments(container, namespace))
	if err != nil {
		return injector.Settings{}, err
	}
	return options.Settings(injector.Native), nil
}

func injectorContainer(namespace string, values map[string]any) (*corev1.Container, error) {
	objects, err := render.Chart(render.Options{Namespace: namespace, Values: values})
	if err != nil {
		return nil, fmt.Errorf("render the chart: %w", err)
	}
	for _, object := range objects {
		if object.GetKind() != "Deployment" || object.GetName() != injectorName {
			continue
		}
		deployment := &appsv1.Deployment{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, deployment); err != nil {
			return nil, fmt.Errorf("read the chart's Deployment %s: %w", injectorName, err)
		}
		return &deployment.Spec.Template.Spec.Containers[0], nil
	}
	return nil, fmt.Errorf("the chart has no Deployment %s", injectorName)
}

// arguments returns those of container with its variables filled in, as the
// kubelet does.
func arguments(container *corev1.Container, namespace string) []string {
	var known []string
	for _, variable := range container.Env {
		if from := variable.ValueFrom; from != nil && from.FieldRef != nil && from.FieldRef.FieldPath == "metadata.namespace" {
			known = append(known, "$("+variable.Name+")", namespace)
		}
	}
	replacer := strings.NewReplacer(known...)
	var filled []string
	for _, argument := range container.Args {
		filled = append(filled, replacer.Replace(argument))
	}
	return filled
}
