package main

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

func says(validity string, algorithm v1.KeyAlgorithm) *v1.MeshConfig {
	return &v1.MeshConfig{Spec: v1.MeshConfigSpec{Certificate: v1.Certificate{ServiceCertValidityDuration: validity, KeyAlgorithm: algorithm}}}
}

func TestTheCertificateSettingsOfAMeshConfigTakePrecedenceOverFlags(t *testing.T) {
	o := &options{validity: 24 * time.Hour, keyAlgorithm: issuer.RSA2048}
	tests := map[string]struct {
		mesh      *v1.MeshConfig
		validity  time.Duration
		algorithm issuer.KeyAlgorithm
	}{
		"no MeshConfig":         {nil, 24 * time.Hour, issuer.RSA2048},
		"one that says nothing": {says("", ""), 24 * time.Hour, issuer.RSA2048},
		"the lifetime":          {says("1.5h", ""), 90 * time.Minute, issuer.RSA2048},
		"the algorithm":         {says("", "ed25519"), 24 * time.Hour, issuer.Ed25519},
		"both":                  {says("1m", "ecdsa-p256"), time.Minute, issuer.ECDSAP256},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			validity, algorithm, err := o.overlay(test.mesh)
			if err != nil || validity != test.validity || algorithm != test.algorithm {
				t.Errorf("%s, %s, error %v, want %s, %s", validity, algorithm, err, test.validity, test.algorithm)
			}
		})
	}
}

func mustParse(t *testing.T) *options {
	t.Helper()
	o, err := parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestReplacedRootsAreTrustedForTheLifetimeThatTheMeshConfigSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := mustParse(t)
		manager := issuer.NewManager(issuer.Options{Logger: slog.New(slog.DiscardHandler)})
		c := &certificates{o, manager, rotation.NewRetirementPeriod(o.validity)}
		for _, step := range []struct {
			mesh *v1.MeshConfig
			want time.Duration
		}{
			{says("48h", ""), 48 * time.Hour},
			{says("1h", ""), 48 * time.Hour}, // of certificates from before
			{says("1s", ""), 48 * time.Hour}, // refused
			{says("96h", "dsa"), 48 * time.Hour},
			{nil, 48 * time.Hour},
		} {
			err := c.follow(step.mesh)
			if got := c.retirementPeriod.Now() - issuer.ClockSkew; got != step.want {
				t.Errorf("%s after %v, want %s (error %v)", got, step.mesh, step.want, err)
			}
		}
	})
}

func TestFlagsThatTheMeshConfigOverrulesAreNamed(t *testing.T) {
	o := &options{validity: time.Hour, keyAlgorithm: issuer.DefaultKeyAlgorithm}
	for name, test := range map[string]struct {
		said v1.Certificate
		want string
	}{
		"nothing":  {v1.Certificate{}, ""},
		"the same": {v1.Certificate{ServiceCertValidityDuration: "60m", KeyAlgorithm: v1.KeyAlgorithm(issuer.DefaultKeyAlgorithm)}, ""},
		"others":   {v1.Certificate{ServiceCertValidityDuration: "24h", KeyAlgorithm: "ed25519"}, "-service-cert-validity-duration -key-algorithm"},
	} {
		if got := strings.Join(o.overruled(&v1.MeshConfig{Spec: v1.MeshConfigSpec{Certificate: test.said}}), " "); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
