package convert

import (
	"maps"
	"slices"
)

// tree is a JSON object, as k8s.io/apimachinery/pkg/util/json decodes it.
type tree = map[string]any

// get returns what is at path.
func get(t tree, path []string) (any, bool) {
	for _, name := range path[:len(path)-1] {
		next, ok := t[name].(tree)
		if !ok {
			return nil, false
		}
		t = next
	}
	value, ok := t[path[len(path)-1]]
	return value, ok
}

// set puts value at path. What is on the way and no object gives way.
func set(t tree, path []string, value any) {
	for _, name := range path[:len(path)-1] {
		next, ok := t[name].(tree)
		if !ok {
			next = tree{}
			t[name] = next
		}
		t = next
	}
	t[path[len(path)-1]] = value
}

// remove takes away what is at path, if anything is, with the objects around it
// that are empty then.
func remove(t tree, path []string) {
	if _, ok := get(t, path); !ok {
		return
	}
	if len(path) > 1 {
		next := t[path[0]].(tree)
		remove(next, path[1:])
		if len(next) > 0 {
			return
		}
	}
	delete(t, path[0])
}

// merge adds to t what only other has. Lists are not merged.
func merge(t, other tree) {
	for name, value := range other {
		mine, has := t[name]
		if !has {
			t[name] = value
			continue
		}
		if mine, ok := mine.(tree); ok {
			if value, ok := value.(tree); ok {
				merge(mine, value)
			}
		}
	}
}

// clone shares no object with t. Lists and what is in them are not changed here,
// and shared.
func clone(t tree) tree {
	c := maps.Clone(t)
	for name, value := range c {
		if value, ok := value.(tree); ok {
			c[name] = clone(value)
		}
	}
	return c
}

func child(path []string, name string) []string { return append(slices.Clip(path), name) }
