package main

import (
	"fmt"
	"strings"

	releasev1 "helm.sh/helm/v4/pkg/release/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/manifests/render"
)

const (
	meshConfigKind = "MeshConfig"
	rootKind       = "MeshRootCertificate"
)

// outcome is what values become.
type outcome struct {
	// objects are the chart's, but for the preset.
	objects []*unstructured.Unstructured
	// first are the first MeshConfig and MeshRootCertificate, by kind. The images
	// are among them that a MeshConfig can have, and the chart's does not.
	first map[string]any
}

// newOutcome renders the chart.
func newOutcome(o render.Options) (*outcome, error) {
	objects, err := render.Chart(o)
	if err != nil {
		return nil, err
	}
	return outcomeOf(objects)
}

// formerOutcome reads what a release became.
func formerOutcome(former *releasev1.Release) (*outcome, error) {
	objects, err := render.Decode(former.Manifest)
	if err != nil {
		return nil, fmt.Errorf("read the objects of revision %d: %w", former.Version, err)
	}
	return outcomeOf(objects)
}

func outcomeOf(objects []*unstructured.Unstructured) (*outcome, error) {
	made := &outcome{first: map[string]any{}}
	for _, object := range objects {
		if object.GetKind() != "ConfigMap" || object.GetName() != "osm-preset" {
			made.objects = append(made.objects, object)
			continue
		}
		data, _, err := unstructured.NestedStringMap(object.Object, "data")
		if err != nil {
			return nil, err
		}
		for key, document := range data {
			var first map[string]any
			if err := yaml.Unmarshal([]byte(document), &first); err != nil {
				return nil, fmt.Errorf("osm-preset: %s: %w", key, err)
			}
			kind, _ := first["kind"].(string)
			made.first[kind] = first
		}
	}
	return made, made.addImages()
}

// addImages adds what the flags of osm-injector say where a MeshConfig may say
// something else.
func (o *outcome) addImages() error {
	config, has := o.first[meshConfigKind].(map[string]any)
	if !has {
		return nil // a release of long ago
	}
	for _, image := range [][2]string{{"--sidecar-image=", "image"}, {"--init-image=", "initImage"}} {
		if err := unstructured.SetNestedField(config, o.argument(injectorName, image[0]), "spec", "sidecar", image[1]); err != nil {
			return err
		}
	}
	return nil
}

// argument returns what follows the flag among a component's arguments, empty if
// it is not there.
func (o *outcome) argument(component, flag string) string {
	for _, object := range o.objects {
		if object.GetKind() != "Deployment" || object.GetName() != component {
			continue
		}
		containers, _, _ := unstructured.NestedSlice(object.Object, "spec", "template", "spec", "containers") // as the chart has them
		for _, c := range containers {
			container, _ := c.(map[string]any)
			args, _, _ := unstructured.NestedStringSlice(container, "args")
			for _, arg := range args {
				if value, found := strings.CutPrefix(arg, flag); found {
					return value
				}
			}
		}
	}
	return ""
}

// makes tells whether the chart has an object of this kind and name.
func (o *outcome) makes(kind, name string) bool {
	for _, object := range o.objects {
		if object.GetKind() == kind && object.GetName() == name {
			return true
		}
	}
	return false
}

// created returns the first object of a kind as osm-bootstrap creates it: its
// type writes amounts in one way, and leaves out lists that are empty.
func (o *outcome) created(kind string) (map[string]any, error) {
	object := map[string]any{
		meshConfigKind: &v1.MeshConfig{},
		rootKind:       &v1.MeshRootCertificate{},
	}[kind]
	document, err := yaml.Marshal(o.first[kind])
	if err != nil {
		return nil, err
	}
	if err := yaml.UnmarshalStrict(document, object); err != nil {
		return nil, fmt.Errorf("osm-preset: %s: %w", kind, err)
	}
	return runtime.DefaultUnstructuredConverter.ToUnstructured(object)
}
