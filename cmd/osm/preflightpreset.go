package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	validation "github.com/osm-edge/osm/webhook"
)

// preset refuses settings that the mesh's webhook would: osm-bootstrap creates
// them before there is one.
func (p *preflight) preset(context.Context) error {
	i := slices.IndexFunc(p.objects, func(o *unstructured.Unstructured) bool {
		return o.GetKind() == "ConfigMap" && o.GetName() == "osm-preset"
	})
	if i < 0 {
		return nil
	}
	data, _, err := unstructured.NestedStringMap(p.objects[i].Object, "data")
	if err != nil {
		return fmt.Errorf("read ConfigMap osm-preset of the chart: %w", err)
	}
	config, err := yaml.YAMLToJSON([]byte(data["mesh-config.yaml"]))
	if err == nil {
		_, err = validation.ReadMeshConfig(config)
	}
	p.unfit("MeshConfig", err)
	root, err := yaml.YAMLToJSON([]byte(data["mesh-root-certificate.yaml"]))
	if err == nil {
		err = validation.CheckMeshRootCertificate(root)
	}
	p.unfit("MeshRootCertificate", err)
	return nil
}

func (p *preflight) unfit(kind string, err error) {
	if err != nil {
		p.refuse("correct the value with --set or --values", "the values make a %s that is refused: %s", kind, strings.TrimSpace(err.Error()))
	}
}
