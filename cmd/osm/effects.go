package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/manifests/render"
)

// effects finds out what becomes of the values of a command line. The chart is
// asked: what differs once a value is another is what the value is for.
type effects struct {
	namespace string
	values    map[string]any // all of them
	outcome   *outcome       // of all of them
	defaults  map[string]any // the chart's
	inForce   inForce

	useless   []string             // names of values that nothing depends on
	overruled map[string]*overrule // by the field of MeshConfig or MeshRootCertificate
}

// overrule is a field that the values set, and what it stays.
type overrule struct {
	fixed        bool // it cannot be changed
	kind, object string
	path         []string
	is, want     any
	values       []string
}

// newEffects returns what the given values do among all values.
func newEffects(namespace string, given, all map[string]any, found inForce) (*effects, error) {
	chart, err := render.Load()
	if err != nil {
		return nil, err
	}
	made, err := newOutcome(render.Options{Namespace: namespace, Values: all, WithoutCRDs: true})
	if err != nil {
		return nil, fmt.Errorf("the chart does not take these values: %w", err)
	}
	e := &effects{namespace: namespace, values: all, outcome: made, defaults: chart.Values, inForce: found, overruled: map[string]*overrule{}}
	for _, path := range leaves(nil, given) {
		if err := e.look(path); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// look finds out what one value is for. One that the chart cannot do without, or
// not have another of, is for something.
func (e *effects) look(path []string) error {
	name, value := strings.Join(path, "."), at(e.values, path)
	if name == "osm.meshName" || name == kindValue {
		return nil // which are looked at apart
	}
	without, err := newOutcome(render.Options{Namespace: e.namespace, Values: put(e.values, path, other(value)), Unchecked: true, WithoutCRDs: true})
	if err != nil {
		return nil
	}
	changed := differences("", e.outcome.first, without.first)
	if len(changed) == 0 && reflect.DeepEqual(e.outcome.objects, without.objects) && !reflect.DeepEqual(value, at(e.defaults, path)) {
		e.useless = append(e.useless, name)
	}
	for _, change := range changed {
		if err := e.compare(name, strings.Split(change.path, ".")); err != nil {
			return err
		}
	}
	return nil
}

// compare notes a field that the value of this name is for, and that is not
// what the value says.
func (e *effects) compare(name string, path []string) error {
	kind, path := path[0], path[1:]
	live, object, err := e.live(kind)
	if err != nil || live == nil {
		return err
	}
	created, err := e.outcome.created(kind)
	if err != nil {
		return err
	}
	switch {
	case kind == meshConfigKind:
		path = path[:min(3, len(path))] // what is not set there is as the flags say
	case e.otherKind():
		path = []string{"spec", "provider"}
	}
	is, set, _ := unstructured.NestedFieldNoCopy(live, path...) // below a field that is not there is nothing
	if kind == meshConfigKind && !set {
		return nil
	}
	want, _, _ := unstructured.NestedFieldNoCopy(created, path...)
	if reflect.DeepEqual(is, want) {
		return nil
	}
	field := kind + "." + strings.Join(path, ".")
	if e.overruled[field] == nil {
		e.overruled[field] = &overrule{fixed: kind == rootKind && e.otherKind(), kind: kind, object: object, path: path, is: is, want: want}
	}
	if v := e.overruled[field]; !slices.Contains(v.values, name) {
		v.values = append(v.values, name)
	}
	return nil
}

// otherKind tells whether what signs is of another kind than the values say.
func (e *effects) otherKind() bool {
	root := e.inForce.signer()
	if root == nil {
		return false
	}
	kind, _ := at(e.values, strings.Split(kindValue, ".")).(string)
	return cmp.Or(kind, "tresor") != kindOf(root.Spec.Provider)
}

// live returns the object of a kind that there is, nil if there is none.
func (e *effects) live(kind string) (object map[string]any, name string, err error) {
	if kind == meshConfigKind {
		if e.inForce.config == nil {
			return nil, "", nil
		}
		return e.inForce.config.Object, v1.MeshConfigName, nil
	}
	root := e.inForce.signer()
	if root == nil {
		return nil, "", nil
	}
	object, err = runtime.DefaultUnstructuredConverter.ToUnstructured(root)
	return object, root.Name, err
}

// provider returns what is to sign: what there is, or else what the values make.
func (e *effects) provider() (v1.Provider, error) {
	if root := e.inForce.signer(); root != nil {
		return root.Spec.Provider, nil
	}
	created, err := e.outcome.created(rootKind)
	if err != nil {
		return v1.Provider{}, err
	}
	var root v1.MeshRootCertificate
	err = runtime.DefaultUnstructuredConverter.FromUnstructured(created, &root)
	return root.Spec.Provider, err
}

// tell warns of every value that does not take effect.
func (e *effects) tell(out *terminal) {
	for _, name := range e.useless {
		out.say(beware, "%s has no effect: nothing depends on it with these values", name)
	}
	for _, field := range slices.Sorted(maps.Keys(e.overruled)) {
		out.say(beware, "%s", e.overruled[field].sentence(e.namespace))
	}
}

func (v *overrule) sentence(namespace string) string {
	field := strings.Join(v.path, ".")
	text := fmt.Sprintf("%s: %s %s takes precedence, where %s is %s", strings.Join(v.values, ", "), v.kind, v.object, field, brief(v.is))
	if v.fixed {
		return text + "; another provider gets a MeshRootCertificate of its own: see docs/meshrootcertificate.md"
	}
	patch := v.want
	for _, name := range slices.Backward(v.path) {
		patch = map[string]any{name: patch}
	}
	data, err := json.Marshal(patch)
	const most = 300
	if err != nil || len(data) > most {
		return text + fmt.Sprintf("\n    to change it: kubectl edit %s %s -n %s", strings.ToLower(v.kind), v.object, namespace)
	}
	return text + fmt.Sprintf("\n    to change it: kubectl patch %s %s -n %s --type=merge -p '%s'", strings.ToLower(v.kind), v.object, namespace, data)
}
