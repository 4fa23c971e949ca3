package convert_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/osm-edge/osm/manifests/crd/convert"
)

const (
	group = "config.openservicemesh.io/"

	keptV1       = "config.openservicemesh.io/v1-fields"
	keptV1alpha2 = "config.openservicemesh.io/v1alpha2-fields"
)

func object(t *testing.T, version, kind, content string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := json.Unmarshal([]byte(content), &u.Object); err != nil {
		t.Fatal(err)
	}
	u.SetAPIVersion(group + version)
	u.SetKind(kind)
	u.SetName("mine")
	u.SetNamespace("osm-system")
	return u
}

func to(t *testing.T, version string, u *unstructured.Unstructured) {
	t.Helper()
	if err := convert.To(group+version, u); err != nil {
		t.Fatal(err)
	}
}

func TestBothVersionsSayTheSame(t *testing.T) {
	tests := map[string]struct{ kind, v1alpha2, v1 string }{
		"a built-in root": {"MeshRootCertificate",
			`{"spec":{"trustDomain":"cluster.local","role":"active","provider":{"tresor":{"ca":{"secretRef":{"name":"osm-ca-bundle","namespace":"osm-system"}}}}}}`,
			`{"spec":{"trustDomain":"cluster.local","role":"Active","provider":{"tresor":{"secretRef":{"name":"osm-ca-bundle"}}}}}`},
		"a root in Vault": {"MeshRootCertificate",
			`{"spec":{"role":"passive","provider":{"vault":{"protocol":"https","host":"vault","port":8200,"role":"osm","token":{"secretKeyRef":{"name":"vault","key":"token","namespace":"osm-system"}}}}}}`,
			`{"spec":{"role":"Passive","provider":{"vault":{"address":"https://vault:8200","role":"osm","auth":{"tokenSecretRef":{"name":"vault","key":"token"}}}}}}`},
		"a Vault at an IPv6 address": {"MeshRootCertificate",
			`{"spec":{"provider":{"vault":{"protocol":"http","host":"fd00::1","port":80,"role":"osm"}}}}`,
			`{"spec":{"provider":{"vault":{"address":"http://[fd00::1]:80","role":"osm"}}}}`},
		"a root of cert-manager": {"MeshRootCertificate",
			`{"spec":{"provider":{"certManager":{"issuerName":"osm-ca","issuerKind":"Issuer","issuerGroup":"cert-manager.io"}}}}`,
			`{"spec":{"provider":{"certManager":{"issuerRef":{"name":"osm-ca","kind":"Issuer","group":"cert-manager.io"}}}}}`},
		"settings of certificates": {"MeshConfig",
			`{"spec":{"certificate":{"serviceCertValidityDuration":"1.5h","certKeyBitSize":2048}}}`,
			`{"spec":{"certificate":{"serviceCertValidityDuration":"1.5h","keyAlgorithm":"rsa-2048"}}}`},
		"settings of sidecars": {"MeshConfig",
			`{"spec":{"sidecar":{"sidecarImage":"pipy","initContainerImage":"init","logLevel":"warn","enablePrivilegedInitContainer":false,"resources":{"limits":{"cpu":1},"requests":{"cpu":"100m"}}}}}`,
			`{"spec":{"sidecar":{"image":"pipy","initImage":"init","logLevel":"warn","privilegedInitContainer":false,"resources":{"limits":{"cpu":1},"requests":{"cpu":"100m"}}}}}`},
		"settings of traffic": {"MeshConfig",
			`{"spec":{"traffic":{"inboundPortExclusionList":[],"outboundPortExclusionList":[6379],"outboundIPRangeExclusionList":["10.0.0.0/8"],"outboundIPRangeInclusionList":["fd00::/8"],"networkInterfaceExclusionList":["net1"]},"observability":{"osmLogLevel":"info"}}}`,
			`{"spec":{"traffic":{"inboundPortExclusions":[],"outboundPortExclusions":[6379],"outboundIPRangeExclusions":["10.0.0.0/8"],"outboundIPRangeInclusions":["fd00::/8"],"networkInterfaceExclusions":["net1"]},"observability":{"logLevel":"info"}}}`},
		"a status": {"MeshRootCertificate",
			`{"status":{"observedGeneration":2,"conditions":[{"type":"Ready"}]}}`,
			`{"status":{"observedGeneration":2,"conditions":[{"type":"Ready"}]}}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			old, current := object(t, "v1alpha2", test.kind, test.v1alpha2), object(t, "v1", test.kind, test.v1)
			forward, backward := old.DeepCopy(), current.DeepCopy()
			to(t, "v1", forward)
			to(t, "v1alpha2", backward)
			if diff := cmp.Diff(current.Object, forward.Object); diff != "" {
				t.Errorf("to v1 (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(old.Object, backward.Object); diff != "" {
				t.Errorf("to v1alpha2 (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnEditInOneVersionIsSeenInTheOther(t *testing.T) {
	tests := map[string]struct {
		from, kind, content string
		path                string
		edit                any // nothing: the field is removed
		want                string
	}{
		"a level that v1 does not have, left alone": {"v1alpha2", "MeshConfig", `{"spec":{"sidecar":{"logLevel":"off"}}}`,
			"spec.sidecar.image", "pipy", `{"spec":{"sidecar":{"logLevel":"off","sidecarImage":"pipy"}}}`},
		"a level that v1 does not have, changed": {"v1alpha2", "MeshConfig", `{"spec":{"sidecar":{"logLevel":"off"}}}`,
			"spec.sidecar.logLevel", "info", `{"spec":{"sidecar":{"logLevel":"info"}}}`},
		"a level that v1 does not have, removed": {"v1alpha2", "MeshConfig", `{"spec":{"sidecar":{"logLevel":"off","sidecarClass":"pipy"}}}`,
			"spec", nil, `{"spec":{"sidecar":{"sidecarClass":"pipy"}}}`},
		"what v1 does not have stays": {"v1alpha2", "MeshConfig", `{"spec":{"featureFlags":{"enableWASMStats":false},"unheardOf":[1.5]}}`,
			"spec.observability.logLevel", "info", `{"spec":{"featureFlags":{"enableWASMStats":false},"unheardOf":[1.5],"observability":{"osmLogLevel":"info"}}}`},
		"an empty image is set": {"v1alpha2", "MeshConfig", `{"spec":{"sidecar":{"sidecarImage":""}}}`,
			"spec.sidecar.image", "pipy", `{"spec":{"sidecar":{"sidecarImage":"pipy"}}}`},
		"resources that are none are replaced": {"v1alpha2", "MeshConfig", `{"spec":{"sidecar":{"resources":{"limits":{"cpu":{}}}}}}`,
			"spec.sidecar.resources", map[string]any{}, `{"spec":{"sidecar":{"resources":{}}}}`},

		"an algorithm that v1alpha2 does not have, left alone": {"v1", "MeshConfig", `{"spec":{"certificate":{"keyAlgorithm":"ed25519"}}}`,
			"spec.certificate.serviceCertValidityDuration", "1h", `{"spec":{"certificate":{"keyAlgorithm":"ed25519","serviceCertValidityDuration":"1h"}}}`},
		"an algorithm that v1alpha2 does not have, changed": {"v1", "MeshConfig", `{"spec":{"certificate":{"keyAlgorithm":"ed25519"}}}`,
			"spec.certificate.certKeyBitSize", int64(4096), `{"spec":{"certificate":{"keyAlgorithm":"rsa-4096"}}}`},
		"an address with a path, left alone": {"v1", "MeshRootCertificate", `{"spec":{"provider":{"vault":{"address":"https://a/b","role":"osm"}}}}`,
			"spec.provider.vault.role", "other", `{"spec":{"provider":{"vault":{"address":"https://a/b","role":"other"}}}}`},
		"an address with a path, changed": {"v1", "MeshRootCertificate", `{"spec":{"provider":{"vault":{"address":"https://a/b","role":"osm"}}}}`,
			"spec.provider.vault.host", "c", `{"spec":{"provider":{"vault":{"address":"https://c:443","role":"osm"}}}}`},
		"a login that v1alpha2 does not have gives way to a token": {"v1", "MeshRootCertificate",
			`{"spec":{"provider":{"vault":{"address":"https://a:1","role":"osm","auth":{"kubernetes":{"role":"r"}}}}}}`,
			"spec.provider.vault.token.secretKeyRef", map[string]any{"name": "a", "key": "b", "namespace": "osm-system"},
			`{"spec":{"provider":{"vault":{"address":"https://a:1","role":"osm","auth":{"tokenSecretRef":{"name":"a","key":"b"}}}}}}`},
		"a token elsewhere gives way to another login": {"v1alpha2", "MeshRootCertificate",
			`{"spec":{"provider":{"vault":{"token":{"secretKeyRef":{"name":"a","key":"b","namespace":"elsewhere"}}}}}}`,
			"spec", nil, `{}`},
		"what only v1 has of another authority is forgotten": {"v1", "MeshRootCertificate", `{"spec":{"provider":{"vault":{"address":"https://a:1","mount":"pki"}}}}`,
			"spec.provider", map[string]any{"certManager": map[string]any{"issuerName": "osm-ca"}},
			`{"spec":{"provider":{"certManager":{"issuerRef":{"name":"osm-ca"}}}}}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			u := object(t, test.from, test.kind, test.content)
			to(t, map[string]string{"v1": "v1alpha2", "v1alpha2": "v1"}[test.from], u)
			path := strings.Split(test.path, ".")
			if test.edit == nil {
				unstructured.RemoveNestedField(u.Object, path...)
			} else if err := unstructured.SetNestedField(u.Object, test.edit, path...); err != nil {
				t.Fatal(err)
			}
			to(t, test.from, u)
			if diff := cmp.Diff(object(t, test.from, test.kind, test.want).Object, u.Object); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAVaultThatNamesNoProtocolMeansHTTPS(t *testing.T) {
	u := object(t, "v1alpha2", "MeshRootCertificate", `{"spec":{"provider":{"vault":{"host":"vault","role":"osm"}}}}`)
	to(t, "v1", u)
	if got, _, err := unstructured.NestedString(u.Object, "spec", "provider", "vault", "address"); err != nil || got != "https://vault:8200" {
		t.Errorf("its address is %q, error %v", got, err)
	}
}

func TestWhatTheOtherVersionDoesNotHaveGoesAlongInAnAnnotation(t *testing.T) {
	u := object(t, "v1alpha2", "MeshConfig", `{"spec":{"sidecar":{"sidecarClass":"pipy","sidecarImage":"pipy"}}}`)
	u.SetAnnotations(map[string]string{"mine": "yes", keptV1alpha2: "is of the other version"})
	to(t, "v1", u)
	want := map[string]string{"mine": "yes", keptV1alpha2: `{"spec":{"sidecar":{"sidecarClass":"pipy"}}}`}
	if diff := cmp.Diff(want, u.GetAnnotations()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatCanNotBeConvertedIsNamedWithItsFix(t *testing.T) {
	alien := object(t, "v1", "MeshPolicy", `{}`)
	broken := object(t, "v1", "MeshConfig", `{}`)
	broken.SetAnnotations(map[string]string{keptV1alpha2: "["})
	null := object(t, "v1", "MeshConfig", `{}`)
	null.SetAnnotations(map[string]string{keptV1alpha2: "null"})
	tests := map[string]struct {
		object  *unstructured.Unstructured
		version string
		want    []string
	}{
		"another kind":          {alien, "v1alpha2", []string{"MeshPolicy osm-system/mine", "v1alpha2"}},
		"from another version":  {object(t, "v1alpha1", "MeshConfig", `{}`), "v1", []string{"MeshConfig osm-system/mine", "v1alpha1", "write it as " + group + "v1"}},
		"to another version":    {object(t, "v1", "MeshConfig", `{}`), "v2", []string{"v2"}},
		"a spoilt annotation":   {broken, "v1alpha2", []string{"MeshConfig osm-system/mine", "metadata.annotations[" + keptV1alpha2 + "]", "remove the annotation"}},
		"an annotation of null": {null, "v1alpha2", []string{"remove the annotation"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := convert.To(group+test.version, test.object)
			if err == nil {
				t.Fatal("it was converted")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
		})
	}
}

func TestFieldsOfV1HaveTheirNamesInV1alpha2(t *testing.T) {
	for path, want := range map[string]string{
		"spec.certificate.keyAlgorithm":         "spec.certificate.certKeyBitSize",
		"spec.traffic.inboundPortExclusions[1]": "spec.traffic.inboundPortExclusionList[1]",
		"spec.sidecar.resources.limits[cpu]":    "spec.sidecar.resources.limits[cpu]",
		"spec.sidecar.imagePolicy":              "spec.sidecar.imagePolicy",
		"metadata.name":                         "metadata.name",
	} {
		if got := convert.Field("MeshConfig", path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
}

func TestValuesWithoutCounterpartAreTold(t *testing.T) {
	tests := map[string]struct {
		kind, content string
		want          []string
	}{
		"levels and resources": {"MeshConfig",
			`{"spec":{"sidecar":{"sidecarImage":"","logLevel":"loud","resources":{"limits":{"cpu":"much"}}},"traffic":{"inboundPortExclusionList":[80]}}}`,
			[]string{"spec.sidecar.logLevel", "spec.sidecar.resources"}},
		"a secret elsewhere": {"MeshRootCertificate",
			`{"spec":{"provider":{"tresor":{"ca":{"secretRef":{"name":"a","namespace":"elsewhere"}}}}}}`,
			[]string{"spec.provider.tresor.ca.secretRef.namespace"}},
		"a host that is none": {"MeshRootCertificate", `{"spec":{"provider":{"vault":{"host":"a b"}}}}`, []string{"spec.provider.vault"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var paths []string
			for _, misfit := range convert.Misfits(object(t, "v1alpha2", test.kind, test.content)) {
				paths = append(paths, misfit.Path)
				if misfit.Want == "" {
					t.Errorf("%s is not told how to fix", misfit.Path)
				}
			}
			if !slices.Equal(paths, test.want) {
				t.Errorf("misfits are %q, want %q", paths, test.want)
			}
		})
	}
}
