package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// difference is a field that two forms of an object have not alike. A form that
// does not have it says nil.
type difference struct {
	path     string
	from, to any
}

// differences compares what JSON is decoded to. Elements of lists are told apart
// by their names where they have some, as the API server does.
func differences(path string, from, to any) []difference {
	if reflect.DeepEqual(from, to) {
		return nil
	}
	a, isObject := from.(map[string]any)
	b, both := to.(map[string]any)
	if isObject && both {
		return differentFields(path, a, b)
	}
	x, isList := from.([]any)
	y, both := to.([]any)
	if isList && both {
		return differentElements(path, x, y)
	}
	return []difference{{path, from, to}}
}

func differentFields(path string, from, to map[string]any) (all []difference) {
	names := maps.Clone(from)
	maps.Copy(names, to)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		all = append(all, differences(fieldIn(path, name), from[name], to[name])...)
	}
	return all
}

// fieldIn writes names with dots, such as those of annotations, in brackets.
func fieldIn(path, name string) string {
	switch {
	case strings.ContainsAny(name, "./"):
		return path + "[" + name + "]"
	case path == "":
		return name
	}
	return path + "." + name
}

func differentElements(path string, from, to []any) []difference {
	a, named := byName(from)
	b, both := byName(to)
	switch {
	case named && both:
		var all []difference
		names := maps.Clone(a)
		maps.Copy(names, b)
		for _, name := range slices.Sorted(maps.Keys(names)) {
			all = append(all, differences(path+"["+name+"]", a[name], b[name])...)
		}
		return all
	case len(from) == len(to) && !scalars(from):
		var all []difference
		for i := range from {
			all = append(all, differences(fmt.Sprintf("%s[%d]", path, i), from[i], to[i])...)
		}
		return all
	}
	if a, b := without(from, to), without(to, from); len(a)+len(b) > 0 {
		return []difference{{path, a, b}}
	}
	return []difference{{path, from, to}} // in another order
}

// byName returns the elements of a list of objects that all have a name of their own.
func byName(list []any) (map[string]any, bool) {
	named := map[string]any{}
	for _, element := range list {
		object, _ := element.(map[string]any)
		name, has := object["name"].(string)
		if _, twice := named[name]; !has || twice {
			return nil, false
		}
		named[name] = element
	}
	return named, true
}

func scalars(list []any) bool {
	return !slices.ContainsFunc(list, func(element any) bool {
		switch element.(type) {
		case map[string]any, []any:
			return true
		}
		return false
	})
}

// without returns what one list has and the other has not.
func without(list, other []any) []any {
	return slices.DeleteFunc(slices.Clone(list), func(element any) bool {
		return slices.ContainsFunc(other, func(o any) bool { return reflect.DeepEqual(element, o) })
	})
}

// shown writes both values of a difference so that they fit on a line.
func (d difference) shown() (from, to string) {
	a, isText := d.from.(string)
	b, both := d.to.(string)
	if isText && both && (strings.Contains(a, "\n") || strings.Contains(b, "\n")) {
		return firstUnlike(a, b)
	}
	return brief(d.from), brief(d.to)
}

// firstUnlike returns the first lines in which two texts differ.
func firstUnlike(a, b string) (string, string) {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return brief(strings.TrimSpace(x[i])), brief(strings.TrimSpace(y[i]))
		}
	}
	return fmt.Sprintf("%d lines", len(x)), fmt.Sprintf("%d lines", len(y))
}

func brief(value any) string {
	text, isText := value.(string)
	list, isList := value.([]any)
	switch {
	case value == nil, isList && len(list) == 0:
		return "nothing"
	case isText && text == "":
		return `""`
	case !isText:
		data, err := json.Marshal(value)
		if err != nil {
			return fmt.Sprint(value)
		}
		text = string(data)
	}
	const most = 80
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}
