package webhook_test

import (
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/osm-edge/osm/webhook"
)

func validationOf(kind, object string) admission.Request {
	return admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		Kind:      metav1.GroupVersionKind{Group: "config.openservicemesh.io", Version: "v1alpha2", Kind: kind},
		Operation: admissionv1.Create, Namespace: "osm-system", Name: "mine",
		Object: runtime.RawExtension{Raw: []byte(object)},
	}}
}

func TestObjectsThatTheMeshCanNotWorkWithAreRefusedByFieldAndMend(t *testing.T) {
	const role, domain, provider = "spec.role", "spec.trustDomain", "spec.provider"
	const validity, size = "spec.certificate.serviceCertValidityDuration", "spec.certificate.certKeyBitSize"
	tests := map[string]struct {
		kind, object string
		want         []string // nothing: allowed
	}{
		"a tresor root":             {"MeshRootCertificate", `{"spec":{"trustDomain":"cluster.local","role":"active","provider":{"tresor":{}}}}`, nil},
		"a Vault root without role": {"MeshRootCertificate", `{"spec":{"trustDomain":"cluster.local","provider":{"vault":{"host":"vault"}}}}`, nil},
		"a root with defaults":      {"MeshRootCertificate", `{"spec":{"provider":{"certManager":{}}}}`, nil},
		"a provider set to null":    {"MeshRootCertificate", `{"spec":{"provider":{"tresor":{},"vault":null}}}`, nil},
		"no provider":               {"MeshRootCertificate", `{"spec":{}}`, []string{provider, "exactly one of tresor, vault and certManager"}},
		"an unknown provider":       {"MeshRootCertificate", `{"spec":{"provider":{"kms":{}}}}`, []string{provider, "exactly one of tresor, vault and certManager"}},
		"two providers":             {"MeshRootCertificate", `{"spec":{"provider":{"vault":{},"tresor":{}}}}`, []string{provider, "sets tresor and vault", "keep exactly one"}},
		"an unknown role":           {"MeshRootCertificate", `{"spec":{"role":"primary","provider":{"tresor":{}}}}`, []string{role, `"primary"`, `"active"`, `"passive"`, `"inactive"`}},
		"a trust domain with a path": {"MeshRootCertificate", `{"spec":{"trustDomain":"cluster.local/x","provider":{"tresor":{}}}}`,
			[]string{domain, "cluster.local/x", "not a SPIFFE trust domain"}},
		"a trust domain as a SPIFFE ID": {"MeshRootCertificate", `{"spec":{"trustDomain":"spiffe://cluster.local","provider":{"tresor":{}}}}`,
			[]string{domain, "not a SPIFFE trust domain"}},
		"a trust domain in capitals": {"MeshRootCertificate", `{"spec":{"trustDomain":"Cluster.Local","provider":{"tresor":{}}}}`,
			[]string{domain, "lower-case"}},
		"a trust domain ending in a dot": {"MeshRootCertificate", `{"spec":{"trustDomain":"cluster.local.","provider":{"tresor":{}}}}`,
			[]string{domain, "not a SPIFFE trust domain"}},
		"two wrong fields": {"MeshRootCertificate", `{"spec":{"role":"x","trustDomain":"X","provider":{"tresor":{}}}}`, []string{role, domain}},
		"a role of another type": {"MeshRootCertificate", `{"spec":{"role":1}}`,
			[]string{"decoding MeshRootCertificate mine", "spec.role"}},

		"an empty MeshConfig":   {"MeshConfig", `{"spec":{}}`, nil},
		"a MeshConfig":          {"MeshConfig", `{"spec":{"certificate":{"serviceCertValidityDuration":"1h30m","certKeyBitSize":3072}}}`, nil},
		"the shortest validity": {"MeshConfig", `{"spec":{"certificate":{"serviceCertValidityDuration":"1m"}}}`, nil},
		"a validity in days":    {"MeshConfig", `{"spec":{"certificate":{"serviceCertValidityDuration":"1d"}}}`, []string{validity, `"1d"`, "24h, 30m or 1h30m"}},
		"an empty validity":     {"MeshConfig", `{"spec":{"certificate":{"serviceCertValidityDuration":""}}}`, []string{validity, "24h, 30m or 1h30m"}},
		"a validity too short":  {"MeshConfig", `{"spec":{"certificate":{"serviceCertValidityDuration":"59s"}}}`, []string{validity, "at least 1m"}},
		"a negative validity":   {"MeshConfig", `{"spec":{"certificate":{"serviceCertValidityDuration":"-24h"}}}`, []string{validity, "at least 1m"}},
		"a short key":           {"MeshConfig", `{"spec":{"certificate":{"certKeyBitSize":1024}}}`, []string{size, "1024", "2048", "3072", "4096"}},

		"another kind":   {"MeshPolicy", `{}`, []string{"MeshPolicy", "MeshConfig and MeshRootCertificate", "v1alpha2"}},
		"no object":      {"MeshConfig", ``, []string{"decoding MeshConfig mine"}},
		"half an object": {"MeshConfig", `{"spec":`, []string{"decoding MeshConfig mine"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			response := webhook.Validate(t.Context(), validationOf(test.kind, test.object))
			if response.Allowed != (test.want == nil) {
				t.Fatalf("allowed: %v: %+v", response.Allowed, response.Result)
			}
			for _, want := range test.want {
				if !strings.Contains(response.Result.Message, want) {
					t.Errorf("message %q lacks %q", response.Result.Message, want)
				}
			}
		})
	}
}

func TestADeletionIsNeverRefused(t *testing.T) {
	request := validationOf("MeshConfig", "")
	request.Operation = admissionv1.Delete
	if response := webhook.Validate(t.Context(), request); !response.Allowed {
		t.Errorf("refused: %+v", response.Result)
	}
}

func TestAnotherVersionIsRefused(t *testing.T) {
	request := validationOf("MeshConfig", "{}")
	request.Kind.Version = "v1alpha1"
	response := webhook.Validate(t.Context(), request)
	if response.Allowed || !strings.Contains(response.Result.Message, "v1alpha1") {
		t.Errorf("answered %+v", response)
	}
}
