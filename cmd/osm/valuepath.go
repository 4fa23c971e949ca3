package main

import (
	"maps"
	"slices"
	"time"
)

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
