package pipy_test

import (
	"regexp"
	"testing"

	"github.com/osm-edge/osm/injector/pipy"
)

func TestTheNameOfTheConfigMapIsOfTheContents(t *testing.T) {
	if name := pipy.ConfigMapName(); !regexp.MustCompile(`^osm-sidecar-[0-9a-f]{12}$`).MatchString(name) || name != pipy.ConfigMapName() {
		t.Error(name)
	}
	scripts := pipy.Scripts()
	if scripts["main.js"] == "" {
		t.Error("no main.js")
	}
	for name := range scripts {
		if !regexp.MustCompile(`^[-._a-zA-Z0-9]+\.js$`).MatchString(name) {
			t.Errorf("%s is no key of a ConfigMap", name)
		}
	}
}
