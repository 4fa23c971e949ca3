package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/strvals"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kyaml "sigs.k8s.io/yaml"

	"github.com/osm-edge/osm/cmd/internal/injection"
	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/manifests/render"
)

// values are the chart's, as Helm takes them: files, the last first, and then
// single values.
type values struct {
	files   []string
	singles []string
}

func (v *values) addFlags(command *cobra.Command) {
	flags := command.Flags()
	flags.StringArrayVar(&v.files, "values", nil, "`file` of the chart's values; the last of several wins")
	flags.StringArrayVar(&v.singles, "set", nil, "a value of the chart, as `key=value`, such as osm.injector.interception=none; wins over files, and the last of several wins")
}

func (v *values) merge() (map[string]any, error) {
	merged := map[string]any{}
	for _, file := range v.files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read values: %w", err)
		}
		given, err := parseValues(data)
		if err != nil {
			return nil, fmt.Errorf("read values of %s: %w", file, err)
		}
		merged = loader.MergeMaps(merged, given)
	}
	for _, single := range v.singles {
		if err := strvals.ParseInto(single, merged); err != nil {
			return nil, fmt.Errorf("--set %s: %w", single, err)
		}
	}
	return merged, nil
}

// parseValues reads a file as Helm does, but refuses what Helm passes over: one of
// two keys, and all documents but the first.
func parseValues(data []byte) (given map[string]any, err error) {
	if err := oneDocument(data); err != nil {
		return nil, err
	}
	if err := keysOnce(data); err != nil {
		return nil, err
	}
	return given, kyaml.Unmarshal(data, &given)
}

// leaves returns the paths of all values that hold no others.
func leaves(prefix []string, values map[string]any) (paths [][]string) {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		path := append(slices.Clone(prefix), key)
		if below, is := values[key].(map[string]any); is && len(below) > 0 {
			paths = append(paths, leaves(path, below)...)
			continue
		}
		paths = append(paths, path)
	}
	return paths
}

func at(values map[string]any, path []string) any {
	var value any = values
	for _, key := range path {
		below, _ := value.(map[string]any)
		value = below[key]
	}
	return value
}

// put returns values with another at path. It changes none of what it is given.
func put(values map[string]any, path []string, value any) map[string]any {
	changed := maps.Clone(values)
	if changed == nil {
		changed = map[string]any{}
	}
	if len(path) > 1 {
		below, _ := values[path[0]].(map[string]any)
		value = put(below, path[1:], value)
	}
	changed[path[0]] = value
	return changed
}

// other returns a value of the same type that is not the same, and that the chart
// can still read.
func other(value any) any {
	switch v := value.(type) {
	case bool:
		return !v
	case int:
		return v + 1
	case int64:
		return v + 1
	case float64:
		return v + 1
	case string:
		if length, err := time.ParseDuration(v); err == nil {
			return (length + time.Minute).String()
		}
		if protocol, is := map[string]string{"http": "https", "https": "http"}[v]; is {
			return protocol
		}
		return v + "-other"
	case []any:
		return append(slices.Clone(v), "other")
	}
	return "other"
}

// keysOnce refuses a YAML document that has a key twice in one mapping (YAML 1.2
// section 3.2.1.3), for one of the values would be lost without a word. A key
// beside one that is merged (<<) overrides it, which is what merging is for.
func keysOnce(document []byte) error {
	var root yaml.Node
	if err := yaml.Unmarshal(document, &root); err != nil {
		return err
	}
	return errors.Join(keysTwice(&root)...)
}

// oneDocument refuses a second YAML document that says something.
func oneDocument(data []byte) error {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for first := true; ; first = false {
		var root yaml.Node
		err := decoder.Decode(&root)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case len(root.Content) == 0 || root.Content[0].ShortTag() == "!!null":
		case !first:
			return fmt.Errorf("line %d is of another document, after a line of dashes: give each a file of its own", root.Content[0].Line)
		}
	}
}

// keysTwice returns a problem for each. What an alias stands for is looked at
// where it is written.
func keysTwice(node *yaml.Node) (problems []error) {
	first := map[string]int{}
	for i, child := range node.Content {
		problems = append(problems, keysTwice(child)...)
		isKey := node.Kind == yaml.MappingNode && i%2 == 0
		if !isKey || child.Kind != yaml.ScalarNode || child.ShortTag() == "!!merge" {
			continue
		}
		// As JSON has it, 1 and "1" are one key.
		if line, has := first[child.Value]; has {
			problems = append(problems, fmt.Errorf("line %d: key %q is there already, in line %d: remove one of them", child.Line, child.Value, line))
			continue
		}
		first[child.Value] = child.Line
	}
	return problems
}

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
