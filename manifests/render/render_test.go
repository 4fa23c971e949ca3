package render

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestDump(t *testing.T) {
	objs, err := Chart(Options{Namespace: "osm-system"})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objs {
		t.Log(o.GetKind(), o.GetName())
		b, _ := o.MarshalJSON()
		if o.GetKind() == "Deployment" {
			t.Log(string(b))
		}
	}
	_, err = Chart(Options{Namespace: "x", Values: map[string]any{"osm": map[string]any{"certificateProvider": map[string]any{"kind": "vault"}}}})
	t.Log(err)
	_ = strings.Compare
	_ = unstructured.Unstructured{}
}
