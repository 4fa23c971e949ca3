package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/osm-edge/osm/manifests/crd/validate"
	"github.com/osm-edge/osm/manifests/render"
)

// preset refuses settings that the mesh's webhook would: osm-bootstrap creates
// them before there is one.
func (p *preflight) preset(context.Context) error {
	found, err := unfit(p.objects)
	if err != nil {
		return err
	}
	for _, kind := range slices.Sorted(maps.Keys(found)) {
		p.refuse("correct "+p.valuesOf(kind, found[kind])+" with --set or --values", "the values make a %s that is refused: %s", kind, found[kind])
	}
	return nil
}

// unfit returns what the webhook would say of the chart's settings, by kind.
func unfit(objects []*unstructured.Unstructured) (map[string]string, error) {
	i := slices.IndexFunc(objects, func(o *unstructured.Unstructured) bool {
		return o.GetKind() == "ConfigMap" && o.GetName() == "osm-preset"
	})
	if i < 0 {
		return nil, nil
	}
	data, _, err := unstructured.NestedStringMap(objects[i].Object, "data")
	if err != nil {
		return nil, fmt.Errorf("read ConfigMap osm-preset of the chart: %w", err)
	}
	found := map[string]string{}
	look := func(kind, key string, check func([]byte) error) {
		object, err := yaml.YAMLToJSON([]byte(data[key]))
		if err == nil {
			err = check(object)
		}
		if err != nil {
			found[kind] = strings.TrimSpace(err.Error())
		}
	}
	look(meshConfigKind, "mesh-config.yaml", func(config []byte) error {
		_, err := validate.ReadMeshConfig(config)
		return err
	})
	look(rootKind, "mesh-root-certificate.yaml", validate.CheckMeshRootCertificate)
	return found, nil
}

// valuesOf names the values that were given and that what is said of a kind is
// about: with another it is something else.
func (p *preflight) valuesOf(kind, problem string) string {
	chart, err := render.Load()
	if err != nil {
		return "the value"
	}
	var names []string
	for _, path := range leaves(nil, p.given) {
		name := strings.Join(path, ".")
		if name == kindValue {
			continue // what is wrong is wrong of the kind that is meant
		}
		said := []string{} // with another value; nothing if the chart takes no other that is known
		for _, value := range []any{other(at(p.given, path)), at(chart.Values, path)} {
			objects, err := render.Chart(render.Options{Namespace: p.cluster.meshNamespace, Values: put(p.given, path, value), Unchecked: true, WithoutCRDs: true})
			if err != nil {
				continue
			}
			if found, err := unfit(objects); err == nil {
				said = append(said, found[kind])
			}
		}
		if len(said) == 0 || slices.ContainsFunc(said, func(text string) bool { return text != problem }) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "the value"
	}
	return strings.Join(names, ", ")
}
