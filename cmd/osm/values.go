package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/strvals"
	"sigs.k8s.io/yaml"
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
	return given, yaml.Unmarshal(data, &given)
}
