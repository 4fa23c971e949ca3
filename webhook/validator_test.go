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

// validationOf is the review of an object, written without type and metadata.
func validationOf(operation admissionv1.Operation, version, kind, object, old string) admission.Request {
	return admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		Kind:      metav1.GroupVersionKind{Group: "config.openservicemesh.io", Version: version, Kind: kind},
		Operation: operation, Namespace: "osm-system", Name: "mine",
		Object:    runtime.RawExtension{Raw: typed(version, kind, object)},
		OldObject: runtime.RawExtension{Raw: typed(version, kind, old)},
	}}
}

func typed(version, kind, object string) []byte {
	head := `{"apiVersion":"config.openservicemesh.io/` + version + `","kind":"` + kind + `",`
	if !strings.Contains(object, `"metadata"`) {
		head += `"metadata":{"name":"mine","namespace":"osm-system"},`
	}
	if object == "{}" {
		return []byte(strings.TrimSuffix(head, ",") + "}")
	}
	return []byte(strings.Replace(object, "{", head, 1))
}

func validate(t *testing.T, o webhook.ValidatorOptions, request admission.Request) admission.Response {
	t.Helper()
	return webhook.NewValidator(o).Handle(t.Context(), request)
}

// expect wants a refusal that says everything of want, or none.
func expect(t *testing.T, response admission.Response, want []string) {
	t.Helper()
	if response.Allowed != (want == nil) {
		t.Fatalf("allowed: %v: %+v", response.Allowed, response.Result)
	}
	for _, want := range want {
		if !strings.Contains(response.Result.Message, want) {
			t.Errorf("message %q lacks %q", response.Result.Message, want)
		}
	}
}

func TestWhatIsNoObjectOfTheMeshIsRefused(t *testing.T) {
	another := validationOf(admissionv1.Create, "v1", "MeshPolicy", "{}", "{}")
	version := validationOf(admissionv1.Create, "v1alpha1", "MeshConfig", "{}", "{}")
	group := validationOf(admissionv1.Create, "v1", "MeshConfig", "{}", "{}")
	group.Kind.Group = "example.com"
	empty, half := version, version
	empty.Kind.Version, half.Kind.Version = "v1", "v1"
	empty.Object.Raw, half.Object.Raw = nil, []byte(`{"spec":`)
	for name, test := range map[string]struct {
		request admission.Request
		want    []string
	}{
		"another kind":    {another, []string{"MeshPolicy", "MeshConfig and MeshRootCertificate", "v1alpha2"}},
		"another version": {version, []string{"v1alpha1"}},
		"another group":   {group, []string{"example.com"}},
		"no object":       {empty, []string{"decoding MeshConfig mine"}},
		"half an object":  {half, []string{"decoding MeshConfig mine"}},
	} {
		t.Run(name, func(t *testing.T) { expect(t, validate(t, webhook.ValidatorOptions{}, test.request), test.want) })
	}
}

func TestAWriterIsWarnedOfWhatIsWithoutEffectOrUnsafe(t *testing.T) {
	for name, test := range map[string]struct{ kind, object, want string }{
		"a MeshConfig of another name": {"MeshConfig", `{"spec":{}}`, "the mesh follows osm-mesh-config"},
		"a Vault without TLS": {"MeshRootCertificate",
			`{"spec":{"role":"Active","provider":{"vault":{"address":"http://a:8200","role":"osm","auth":{"tokenSecretRef":{"name":"a","key":"b"}}}}}}`, "use https"},
	} {
		t.Run(name, func(t *testing.T) {
			response := validate(t, webhook.ValidatorOptions{}, validationOf(admissionv1.Create, "v1", test.kind, test.object, "{}"))
			if !response.Allowed || len(response.Warnings) != 1 || !strings.Contains(response.Warnings[0], test.want) {
				t.Errorf("answered %+v", response)
			}
		})
	}
}
