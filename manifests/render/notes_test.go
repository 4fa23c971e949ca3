package render

import (
	"strings"
	"testing"
)

func TestTheNotesSayWhatIsNextAndWhatHadNoEffect(t *testing.T) {
	tests := map[string]struct {
		values map[string]any
		want   []string
		never  string
	}{
		"by default": {map[string]any{}, []string{
			"The mesh osm is installed in osm-system.",
			"kubectl label namespace NAME openservicemesh.io/monitored-by=osm",
		}, "osm-edge's and have no effect"},
		"a duration as the guide has it": {map[string]any{"serviceCertValidityDuration": "1h"},
			[]string{"osm.serviceCertValidityDuration is taken for osm.certificateProvider.serviceCertValidityDuration"}, "no effect"},
		"values of osm-edge": {map[string]any{"enforceSingleMesh": true, "featureFlags": map[string]any{"enableRetryPolicy": true}},
			[]string{"These values are osm-edge's and have no effect here: osm.enforceSingleMesh, osm.featureFlags."}, "is taken for"},
		"a digest of what is not here": {map[string]any{"image": map[string]any{"digest": map[string]any{"osmCRDs": "sha256:abc"}, "name": map[string]any{"osmCRDs": "x"}}},
			[]string{"have no effect here: osm.image.name, osm.image.digest.osmCRDs."}, "WARNING"},
		"a Vault over http": {vaultAt("http"), []string{"WARNING: Vault is called over http", "in the Secret osm-ca-bundle, key ca.crt"}, "no effect"},
		"a Vault":           {vaultAt("https"), nil, "http."},
		"cert-manager": {map[string]any{"certificateProvider": map[string]any{"kind": "cert-manager"}},
			[]string{"kubectl create secret generic osm-ca-bundle -n osm-system --from-file=ca.crt"}, "no effect"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			files, err := templates(Options{Namespace: "osm-system", Values: osm(test.values)})
			if err != nil {
				t.Fatal(err)
			}
			notes := files["osm/templates/NOTES.txt"]
			for _, want := range test.want {
				if !strings.Contains(notes, want) {
					t.Errorf("the notes lack %q:\n%s", want, notes)
				}
			}
			if strings.Contains(notes, test.never) {
				t.Errorf("the notes say %q:\n%s", test.never, notes)
			}
		})
	}
}
