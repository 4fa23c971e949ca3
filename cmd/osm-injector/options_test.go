package main

import (
	"reflect"
	"strings"
	"testing"

	"github.com/osm-edge/osm/injector"
)

func TestFlagsBecomeSettings(t *testing.T) {
	defaults := injector.Settings{
		MeshName: "osm", Namespace: "osm-system", TrustDomain: "cluster.local",
		ImagePullPolicy: "IfNotPresent", LogLevel: "warn",
	}
	changed := injector.Settings{
		MeshName: "mine", Namespace: "mesh", TrustDomain: "mesh.example",
		SidecarImage: "example/pipy:1", ImagePullPolicy: "Always", LogLevel: "debug",
	}
	tests := map[string]struct {
		args []string
		want injector.Settings
	}{
		"none": {nil, defaults},
		"all": {[]string{"--mesh-name=mine", "--namespace=mesh", "--trust-domain=mesh.example", "--sidecar-image=example/pipy:1",
			"--sidecar-image-pull-policy=Always", "--sidecar-log-level=debug"}, changed},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o, err := parse(test.args)
			if err != nil {
				t.Fatal(err)
			}
			if got := o.settings(); !reflect.DeepEqual(got, test.want) {
				t.Errorf("settings %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestFlagsThatAreWrongAreRefusedByName(t *testing.T) {
	tests := map[string]struct {
		args []string
		want string
	}{
		"an unknown flag":   {[]string{"--privileged"}, "-privileged"},
		"an extra argument": {[]string{"--sidecar-image", "example/pipy:1", "extra"}, `unexpected argument "extra"`},
		"no namespace":      {[]string{"--namespace="}, "-namespace"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := parse(test.args); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one that names %s", err, test.want)
			}
		})
	}
}
