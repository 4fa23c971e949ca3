// Package manifests holds what the mesh consists of in Kubernetes: its Helm
// chart with the custom resource definitions. It knows no other package of the
// mesh.
package manifests

import (
	"embed"
	"fmt"
	"io/fs"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"

	"github.com/osm-edge/osm/manifests/mesh"
)

//go:embed all:chart
var files embed.FS

// Chart returns the files of the Helm chart.
func Chart() fs.FS {
	chart, err := fs.Sub(files, "chart")
	if err != nil {
		panic(err) // the name is a constant, and valid
	}
	return chart
}

// CRDs returns the custom resource definitions of a mesh, whose conversion
// webhook is in the given namespace.
func CRDs(meshNamespace string) ([]*apiextensionsv1.CustomResourceDefinition, error) {
	names, err := fs.Glob(files, "chart/crds/*.yaml")
	if err != nil {
		return nil, err
	}
	var crds []*apiextensionsv1.CustomResourceDefinition
	for _, name := range names {
		data, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(data, crd); err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		crd.Spec.Conversion.Webhook.ClientConfig.Service.Namespace = meshNamespace
		crds = append(crds, crd)
	}
	return crds, nil
}

// Labels returns the labels of the objects of a mesh.
func Labels(meshName, version string) map[string]string {
	return map[string]string{
		"app.kubernetes.io/name":     "openservicemesh.io",
		"app.kubernetes.io/instance": meshName,
		"app.kubernetes.io/version":  version,
	}
}

// Owned selects the objects of a mesh, of whatever version.
func Owned(meshName string) labels.Selector {
	set := Labels(meshName, "")
	delete(set, "app.kubernetes.io/version")
	return labels.SelectorFromSet(set)
}

// MonitoredBy returns the label that makes a namespace one of a mesh.
func MonitoredBy(meshName string) map[string]string {
	return map[string]string{mesh.MonitoredByLabel: meshName}
}

// Monitored selects the namespaces of a mesh.
func Monitored(meshName string) labels.Selector {
	return labels.SelectorFromSet(MonitoredBy(meshName))
}
