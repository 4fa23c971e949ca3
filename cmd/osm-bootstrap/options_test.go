package main

import (
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/osm-edge/osm/cmd/internal/component"
)

var defaults = options{
	Options:           component.Options{MeshName: "osm", Namespace: "osm-system", LogLevel: slog.LevelInfo},
	rootSecret:        "osm-ca-bundle",
	preset:            "osm-preset",
	mutatingWebhook:   "osm-webhook-osm",
	validatingWebhook: "osm-validator-mesh-osm",
	rootRenewal:       10,
}

func TestFlagsAreRead(t *testing.T) {
	job := defaults
	job.once, job.rootSecret = true, "my-root"
	never := defaults
	never.rootRenewal = 0
	tests := map[string]struct {
		args []string
		want options
	}{
		"none":          {nil, defaults},
		"never renewed": {[]string{"--root-renewal-percent=0"}, never},
		"a Job":         {[]string{"--once", "--ca-bundle-secret-name=my-root"}, job},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parse(test.args)
			if err != nil {
				t.Fatal(err)
			}
			if *got != test.want {
				t.Errorf("options %+v, want %+v", *got, test.want)
			}
		})
	}
}

func TestFlagsThatAreWrongAreRefusedByName(t *testing.T) {
	tests := map[string]struct {
		args []string
		want string
	}{
		"an unknown flag":    {[]string{"--twice"}, "-twice"},
		"a word for once":    {[]string{"--once=often"}, "-once"},
		"a share in words":   {[]string{"--root-renewal-percent=ten"}, "-root-renewal-percent"},
		"a share below zero": {[]string{"--root-renewal-percent=-1"}, "-root-renewal-percent: it is not a number from 0 to 50"},
		"a share above half": {[]string{"--root-renewal-percent=51"}, "-root-renewal-percent: it is not a number from 0 to 50"},
		"an extra argument":  {[]string{"--once", "true"}, `unexpected argument "true"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := parse(test.args); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one that names %s", err, test.want)
			}
		})
	}
}

func TestWhatBootstrapSetsIsWatched(t *testing.T) {
	var got []string
	for _, o := range watched(&defaults) {
		got = append(got, strings.Trim(o.namespace+"/"+o.resource.Resource+"/"+o.name, "/"))
	}
	want := []string{
		"osm-system/secrets/osm-ca-bundle",
		"mutatingwebhookconfigurations/osm-webhook-osm",
		"validatingwebhookconfigurations/osm-validator-mesh-osm",
		"osm-system/meshconfigs/osm-mesh-config",
		"osm-system/meshrootcertificates",
		"osm-system/configmaps/osm-trust-bundle",
		"osm-system/secrets/osm-injector-tls",
		"osm-system/secrets/osm-validator-tls",
		"osm-system/secrets/osm-bootstrap-tls",
	}
	if !slices.Equal(got, want) {
		t.Errorf("watched are %q, want %q", got, want)
	}
}
