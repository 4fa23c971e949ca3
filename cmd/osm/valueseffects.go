package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	releasev1 "helm.sh/helm/v4/pkg/release/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

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

const (
	meshConfigKind = "MeshConfig"
	rootKind       = "MeshRootCertificate"
)

// outcome is what values become.
type outcome struct {
	// objects are the chart's, but for the preset.
	objects []*unstructured.Unstructured
	// first are the first MeshConfig and MeshRootCertificate, by kind. The images
	// are among them that a MeshConfig can have, and the chart's does not.
	first map[string]any
}

// newOutcome renders the chart.
func newOutcome(o render.Options) (*outcome, error) {
	objects, err := render.Chart(o)
	if err != nil {
		return nil, err
	}
	return outcomeOf(objects)
}

// formerOutcome reads what a release became.
func formerOutcome(former *releasev1.Release) (*outcome, error) {
	objects, err := render.Decode(former.Manifest)
	if err != nil {
		return nil, fmt.Errorf("read the objects of revision %d: %w", former.Version, err)
	}
	return outcomeOf(objects)
}

func outcomeOf(objects []*unstructured.Unstructured) (*outcome, error) {
	made := &outcome{first: map[string]any{}}
	for _, object := range objects {
		if object.GetKind() != "ConfigMap" || object.GetName() != "osm-preset" {
			made.objects = append(made.objects, object)
			continue
		}
		data, _, err := unstructured.NestedStringMap(object.Object, "data")
		if err != nil {
			return nil, err
		}
		for key, document := range data {
			var first map[string]any
			if err := yaml.Unmarshal([]byte(document), &first); err != nil {
				return nil, fmt.Errorf("osm-preset: %s: %w", key, err)
			}
			kind, _ := first["kind"].(string)
			made.first[kind] = first
		}
	}
	return made, made.addImages()
}

// addImages adds what the flags of osm-injector say where a MeshConfig may say
// something else.
func (o *outcome) addImages() error {
	config, has := o.first[meshConfigKind].(map[string]any)
	if !has {
		return nil // a release of long ago
	}
	for _, image := range [][2]string{{"--sidecar-image=", "image"}, {"--init-image=", "initImage"}} {
		if err := unstructured.SetNestedField(config, o.argument(injectorName, image[0]), "spec", "sidecar", image[1]); err != nil {
			return err
		}
	}
	return nil
}

// argument returns what follows the flag among a component's arguments, empty if
// it is not there.
func (o *outcome) argument(component, flag string) string {
	for _, object := range o.objects {
		if object.GetKind() != "Deployment" || object.GetName() != component {
			continue
		}
		containers, _, _ := unstructured.NestedSlice(object.Object, "spec", "template", "spec", "containers") // as the chart has them
		for _, c := range containers {
			container, _ := c.(map[string]any)
			args, _, _ := unstructured.NestedStringSlice(container, "args")
			for _, arg := range args {
				if value, found := strings.CutPrefix(arg, flag); found {
					return value
				}
			}
		}
	}
	return ""
}

// makes tells whether the chart has an object of this kind and name.
func (o *outcome) makes(kind, name string) bool {
	for _, object := range o.objects {
		if object.GetKind() == kind && object.GetName() == name {
			return true
		}
	}
	return false
}

// created returns the first object of a kind as osm-bootstrap creates it: its
// type writes amounts in one way, and leaves out lists that are empty.
func (o *outcome) created(kind string) (map[string]any, error) {
	object := map[string]any{
		meshConfigKind: &v1.MeshConfig{},
		rootKind:       &v1.MeshRootCertificate{},
	}[kind]
	document, err := yaml.Marshal(o.first[kind])
	if err != nil {
		return nil, err
	}
	if err := yaml.UnmarshalStrict(document, object); err != nil {
		return nil, fmt.Errorf("osm-preset: %s: %w", kind, err)
	}
	return runtime.DefaultUnstructuredConverter.ToUnstructured(object)
}
