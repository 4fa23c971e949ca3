package convert

import (
	"maps"
	"reflect"
	"slices"
)

// end is where a value is in one of the versions: a field, or several fields of
// one object that only together are the value.
type end struct {
	path   []string
	fields []string
}

func (e end) get(t tree) (any, bool) {
	value, ok := get(t, e.path)
	if e.fields == nil || !ok {
		return value, ok
	}
	object, ok := value.(tree)
	if !ok {
		return nil, false
	}
	part := maps.Clone(object)
	maps.DeleteFunc(part, func(name string, _ any) bool { return !slices.Contains(e.fields, name) })
	return part, len(part) > 0
}

func (e end) set(t tree, value any) {
	if e.fields == nil {
		set(t, e.path, value)
		return
	}
	for name, value := range value.(tree) {
		set(t, child(e.path, name), value)
	}
}

func (e end) remove(t tree) {
	if e.fields == nil {
		remove(t, e.path)
	}
	for _, name := range e.fields {
		remove(t, child(e.path, name))
	}
}

// move is a value that both versions have, each in its own place and form.
type move struct {
	from, to end
	form
}

// form gives a value its form at to (forward) and at from (backward), if it has
// any there.
type form struct {
	forward, backward func(any) (any, bool)
	// want is what to write in v1alpha2 for the value to have a form in v1.
	want string
}

func (m move) flip() move { return move{m.to, m.from, form{m.backward, m.forward, m.want}} }

// same tells whether there is a form of value at from, and whether it is the
// given one.
func (m move) same(value, from any) (exists, same bool) {
	back, ok := m.backward(value)
	return ok, ok && reflect.DeepEqual(back, from)
}

// carry takes the values of source to where they are in the other version. Of
// kept, which stayed behind the last time the object was converted the other
// way, target gets what source does not say otherwise. What source has and
// target can't say, or not exactly so, is the rest. All are changed.
func carry(source, kept tree, moves []move) (target, rest tree) {
	target, rest = tree{}, source
	for _, m := range moves {
		old, was := m.to.get(kept)
		m.to.remove(kept)
		value, ok := m.take(rest)
		switch {
		case ok && was:
			if _, same := m.same(old, first(m.from.get(rest))); same {
				value = old // and only another way to write it
			}
		case was:
			// Either source could not say it, or does no longer.
			_, could := m.backward(old)
			value, ok = old, !could
		}
		if ok {
			m.put(target, rest, value)
		}
	}
	return target, rest
}

// take returns the value in its form at to.
func (m move) take(source tree) (any, bool) {
	value, ok := m.from.get(source)
	if !ok {
		return nil, false
	}
	return m.forward(value)
}

// put sets the value, and takes it from the rest if nothing of it is lost.
func (m move) put(target, rest tree, value any) {
	m.to.set(target, value)
	if _, same := m.same(value, first(m.from.get(rest))); same {
		m.from.remove(rest)
	}
}

func first(value any, _ bool) any { return value }
