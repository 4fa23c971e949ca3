package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatHelmPassesOverInAFileOfValuesIsRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ text, refusal string }{
		"one document":                     {"# values\n---\nosm:\n  trustDomain: prod.example\n", ""},
		"an end without another":           {"osm:\n  trustDomain: prod.example\n---\n# no more\n", ""},
		"a key beside one that is merged":  {"a: &a {trustDomain: a.example}\nosm:\n  <<: *a\n  trustDomain: prod.example\n", ""},
		"a byte order mark, as on Windows": {"\ufeffosm:\r\n  trustDomain: prod.example\r\n", ""},
		"a key that is there twice":        {"osm:\n  trustDomain: prod.example\nosm:\n  meshName: osm\n", `line 3: key "osm" is there already, in line 1`},
		"another document":                 {"osm:\n  meshName: osm\n---\nosm:\n  trustDomain: prod.example\n", "line 4: another document begins, after that of line 1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "values.yaml")
			if err := os.WriteFile(file, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			given, err := (&values{files: []string{file}}).merge()
			if test.refusal != "" {
				if err == nil || !strings.Contains(err.Error(), test.refusal) || !strings.Contains(err.Error(), file) {
					t.Errorf("error %v, want one with %q and the file", err, test.refusal)
				}
				return
			}
			if domain := at(given, []string{"osm", "trustDomain"}); err != nil || domain != "prod.example" {
				t.Errorf("the trust domain is %v, error %v", domain, err)
			}
		})
	}
}

func TestAValueInThePlaceOfAllIsRefused(t *testing.T) {
	t.Parallel()
	o := &installOptions{values: values{singles: []string{"osm=prod"}}, meshName: "osm"}
	if _, err := o.merged(); err == nil || !strings.Contains(err.Error(), "osm is prod: name a value below it") {
		t.Errorf("error %v", err)
	}
}

// TestWhatAResetDoesNotBringBackIsNamed forgets values that the MeshConfig keeps.
func TestWhatAResetDoesNotBringBackIsNamed(t *testing.T) {
	t.Parallel()
	former := valuesOf(t, "osm.certificateProvider.serviceCertValidityDuration=1h,osm.osmController.replicaCount=2")
	there := existing(t, former["osm"].(map[string]any))
	for _, test := range []struct{ given, want string }{
		{"", meshConfigKind + ".spec.certificate.serviceCertValidityDuration"},
		{"osm.certificateProvider.serviceCertValidityDuration=1h", ""},
	} {
		all, err := withForgotten(valuesOf(t, test.given), former)
		if err != nil {
			t.Fatal(err)
		}
		if got := resultOf(all, all, there); got != test.want {
			t.Errorf("with %q: %q, want %q", test.given, got, test.want)
		}
	}
}
