// Package render renders the mesh's Helm chart into objects, as helm template
// does. It is apart from manifests so that only those who render carry Helm.
package render

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	"github.com/osm-edge/osm/manifests"
)

// Options says what to render.
type Options struct {
	// Namespace is the mesh namespace.
	Namespace string
	// Values are set over the chart's defaults and checked against its schema.
	Values map[string]any
	// Unchecked leaves out the schema: what becomes of a value can be seen from one
	// that is not allowed, too.
	Unchecked bool
	// WithoutCRDs leaves out the custom resource definitions, which no value changes.
	WithoutCRDs bool
}

// Chart returns the objects of the chart, custom resource definitions first,
// in an order that is the same every time.
func Chart(o Options) ([]*unstructured.Unstructured, error) {
	files, err := templates(o)
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, name := range slices.SortedFunc(maps.Keys(files), crdsFirst) {
		if !strings.HasSuffix(name, ".yaml") {
			continue
		}
		decoded, err := Decode(files[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		objects = append(objects, decoded...)
	}
	return objects, nil
}

// templates returns the files of the chart, rendered, by their names.
func templates(o Options) (map[string]string, error) {
	chart, err := Load()
	if err != nil {
		return nil, err
	}
	release := common.ReleaseOptions{Name: "osm", Namespace: o.Namespace, IsInstall: true, Revision: 1}
	values, err := util.ToRenderValuesWithSchemaValidation(chart, o.Values, release, common.DefaultCapabilities, o.Unchecked)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(chart, values)
	if err != nil {
		return nil, err
	}
	if !o.WithoutCRDs {
		for _, crd := range chart.CRDObjects() {
			files[crd.Filename] = string(crd.File.Data)
		}
	}
	return files, nil
}

func crdsFirst(a, b string) int {
	key := func(name string) string {
		if strings.Contains(name, "/crds/") {
			return "0" + name
		}
		return "1" + name
	}
	return strings.Compare(key(a), key(b))
}

// Values lays values over those of the chart.
func Values(chart *chartv2.Chart, values map[string]any) (map[string]any, error) {
	return util.CoalesceValues(chart, values)
}

// Load returns the mesh's chart.
func Load() (*chartv2.Chart, error) {
	files := manifests.Chart()
	var buffered []*archive.BufferedFile
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		buffered = append(buffered, &archive.BufferedFile{Name: name, ModTime: time.Time{}, Data: data})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the chart: %w", err)
	}
	chart, err := loader.LoadFiles(buffered)
	if err != nil {
		return nil, fmt.Errorf("load the chart: %w", err)
	}
	return chart, nil
}

// Decode returns the objects of rendered files, or of a release.
func Decode(manifest string) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewBufferString(manifest), 4096)
	for {
		var document runtime.RawExtension
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		if len(document.Raw) == 0 || string(document.Raw) == "null" {
			continue // nothing but comments
		}
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(document.Raw); err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
}
