package render

import (
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
)

var components = []string{"osm-bootstrap", "osm-controller", "osm-injector"}

// osm nests values the way that the chart does.
func osm(values map[string]any) map[string]any { return map[string]any{"osm": values} }

func mustRender(t *testing.T, o Options) []*unstructured.Unstructured {
	t.Helper()
	objects, err := Chart(o)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func ofKind(objects []*unstructured.Unstructured, kind string) []*unstructured.Unstructured {
	return slices.DeleteFunc(slices.Clone(objects), func(o *unstructured.Unstructured) bool { return o.GetKind() != kind })
}

// find returns the object of that kind and name. It knows no other fields than
// its type has.
func find[T any](t *testing.T, objects []*unstructured.Unstructured, kind, name string) *T {
	t.Helper()
	for _, object := range ofKind(objects, kind) {
		if object.GetName() == name {
			typed := new(T)
			mustConvert(t, object, typed)
			return typed
		}
	}
	t.Fatalf("there is no %s %s", kind, name)
	return nil
}

func mustConvert(t *testing.T, object *unstructured.Unstructured, typed any) {
	t.Helper()
	const strict = true
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, typed, strict); err != nil {
		t.Fatalf("%s %s: %v", object.GetKind(), object.GetName(), err)
	}
}

// typed returns an empty object of the type that Kubernetes has for it.
func typed(t *testing.T, object *unstructured.Unstructured) runtime.Object {
	t.Helper()
	all := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, apiextensionsv1.AddToScheme} {
		if err := add(all); err != nil {
			t.Fatal(err)
		}
	}
	empty, err := all.New(object.GroupVersionKind())
	if err != nil {
		t.Fatal(err)
	}
	return empty
}

// args returns the arguments of a component.
func args(t *testing.T, objects []*unstructured.Unstructured, component string) []string {
	t.Helper()
	return find[appsv1.Deployment](t, objects, "Deployment", component).Spec.Template.Spec.Containers[0].Args
}

func mustHaveArgs(t *testing.T, objects []*unstructured.Unstructured, component string, want ...string) {
	t.Helper()
	got := args(t, objects, component)
	for _, arg := range want {
		if !slices.Contains(got, arg) {
			t.Errorf("%s is started with %q, without %s", component, got, arg)
		}
	}
}
