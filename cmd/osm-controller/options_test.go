package main

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/osm-edge/osm/cmd/internal/component"
	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

func TestFlagsAreRead(t *testing.T) {
	defaults := options{
		Options:      component.Options{MeshName: "osm", Namespace: "osm-system", LogLevel: slog.LevelInfo},
		trustDomain:  "cluster.local",
		rootSecret:   "osm-ca-bundle",
		replica:      hostname(),
		ackTimeout:   5 * time.Minute,
		clockSkew:    5 * time.Minute,
		validity:     24 * time.Hour,
		keyAlgorithm: issuer.DefaultKeyAlgorithm,
	}
	tests := map[string]struct {
		args []string
		want func(*options)
	}{
		"none":                    {nil, func(*options) {}},
		"a duration of two units": {[]string{"--service-cert-validity-duration=1h30m"}, func(o *options) { o.validity = 90 * time.Minute }},
		"a duration with a point": {[]string{"--service-cert-validity-duration=1.5h"}, func(o *options) { o.validity = 90 * time.Minute }},
		"the shortest duration":   {[]string{"--service-cert-validity-duration=1m"}, func(o *options) { o.validity = time.Minute }},
		"a replica's name":        {[]string{"--replica=one"}, func(o *options) { o.replica = "one" }},
		"a deadline":              {[]string{"--rotation-deadline=2m"}, func(o *options) { o.ackTimeout = 2 * time.Minute }},
		"a clock skew":            {[]string{"--clock-skew=30s"}, func(o *options) { o.clockSkew = 30 * time.Second }},
		"no clock skew":           {[]string{"--clock-skew=0s"}, func(o *options) { o.clockSkew = 0 }},
		"a key algorithm":         {[]string{"--key-algorithm=rsa-2048"}, func(o *options) { o.keyAlgorithm = "rsa-2048" }},
		"a Vault and its token": {[]string{"--vault-address=https://vault:8200", "--vault-token-secret=vault-token/token"}, func(o *options) {
			o.vaultAddress, o.vaultToken = "https://vault:8200", v1.SecretKeyReference{Name: "vault-token", Key: "token"}
		}},
		"a trust domain, a secret": {[]string{"--trust-domain=mesh.example", "--ca-bundle-secret-name=my-root"}, func(o *options) { o.trustDomain, o.rootSecret = "mesh.example", "my-root" }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parse(test.args)
			if err != nil {
				t.Fatal(err)
			}
			want := defaults
			test.want(&want)
			if *got != want {
				t.Errorf("options %+v, want %+v", *got, want)
			}
		})
	}
}

func TestFlagsThatAreWrongAreRefusedByName(t *testing.T) {
	tests := map[string]struct {
		args []string
		want string
	}{
		"a duration without unit":  {[]string{"--service-cert-validity-duration=24"}, "-service-cert-validity-duration"},
		"a Secret without a key":   {[]string{"--vault-token-secret=vault-token"}, "-vault-token-secret"},
		"a Secret with no key":     {[]string{"--vault-token-secret=vault-token/"}, "-vault-token-secret"},
		"a duration of days":       {[]string{"--service-cert-validity-duration=1d"}, "-service-cert-validity-duration"},
		"an empty duration":        {[]string{"--service-cert-validity-duration="}, "-service-cert-validity-duration"},
		"a duration of nothing":    {[]string{"--service-cert-validity-duration=0"}, "-service-cert-validity-duration: 0s is shorter than 1m0s"},
		"a duration below zero":    {[]string{"--service-cert-validity-duration=-24h"}, "-service-cert-validity-duration: -24h0m0s is shorter than 1m0s"},
		"a duration too short":     {[]string{"--service-cert-validity-duration=59s"}, "-service-cert-validity-duration: 59s is shorter than 1m0s"},
		"no time for a rotation":   {[]string{"--rotation-deadline=59s"}, "-rotation-deadline: 59s is shorter than 1m0s"},
		"a clock skew below zero":  {[]string{"--clock-skew=-1s"}, "-clock-skew: -1s is not from 0s to 1h"},
		"a clock skew of hours":    {[]string{"--clock-skew=2h"}, "-clock-skew: 2h0m0s is not from 0s to 1h"},
		"no name for an object":    {[]string{"--replica=One Two"}, "-replica"},
		"an unknown key algorithm": {[]string{"--key-algorithm=dsa"}, "-key-algorithm"},
		"an empty key algorithm":   {[]string{"--key-algorithm="}, "-key-algorithm"},
		"an unknown flag":          {[]string{"--insecure"}, "-insecure"},
		"an extra argument":        {[]string{"extra"}, `unexpected argument "extra"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := parse(test.args); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one that names %s", err, test.want)
			}
		})
	}
}
