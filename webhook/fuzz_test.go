package webhook_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/osm-edge/osm/webhook"
)

// FuzzConverter holds that any body gets an answer, and that one that succeeds
// has an object of the version asked for, for each that was sent.
func FuzzConverter(f *testing.F) {
	f.Add(conversion)
	f.Add(strings.Replace(conversion, `"config.openservicemesh.io/v1alpha2"`, `"config.openservicemesh.io/v1"`, 1))
	f.Add(`{"kind":"ConversionReview","apiVersion":"apiextensions.k8s.io/v1","request":{"desiredAPIVersion":"config.openservicemesh.io/v1alpha2","objects":[
		{"apiVersion":"config.openservicemesh.io/v1","kind":"MeshRootCertificate","metadata":{"name":"a","namespace":"b","annotations":{
		"config.openservicemesh.io/v1alpha2-fields":"{\"spec\":{\"provider\":{\"vault\":{\"port\":1}}}}"}},
		"spec":{"role":"Active","provider":{"vault":{"address":"https://a/b","auth":{"tokenSecretRef":{"name":"c"}}}}}}]}}`)
	handler := webhook.NewConverter(slog.New(slog.DiscardHandler))
	f.Fuzz(func(t *testing.T, body string) {
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/convert", strings.NewReader(body)))
		if recorder.Code != http.StatusOK {
			return
		}
		var asked, answered apiextensionsv1.ConversionReview
		if err := json.Unmarshal([]byte(body), &asked); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(recorder.Body.Bytes(), &answered); err != nil {
			t.Fatal(err)
		}
		if answered.Response.Result.Status == metav1.StatusSuccess {
			checkConverted(t, asked.Request, answered.Response)
		}
	})
}

func checkConverted(t *testing.T, request *apiextensionsv1.ConversionRequest, response *apiextensionsv1.ConversionResponse) {
	t.Helper()
	if len(response.ConvertedObjects) != len(request.Objects) {
		t.Fatalf("%d objects became %d", len(request.Objects), len(response.ConvertedObjects))
	}
	for _, object := range response.ConvertedObjects {
		var header metav1.PartialObjectMetadata
		if err := json.Unmarshal(object.Raw, &header); err == nil && header.APIVersion != request.DesiredAPIVersion {
			t.Errorf("asked for %s, got %s", request.DesiredAPIVersion, object.Raw)
		}
	}
}

// FuzzValidator holds that any object gets an answer: leave, or a refusal that
// says why.
func FuzzValidator(f *testing.F) {
	f.Add("v1", "MeshRootCertificate", activeRoot, passiveRoot)
	f.Add("v1alpha2", "MeshRootCertificate", `{"apiVersion":"config.openservicemesh.io/v1alpha2","spec":{"provider":{"vault":{"host":"a","port":1}}}}`, "{}")
	f.Add("v1alpha2", "MeshConfig", `{"apiVersion":"config.openservicemesh.io/v1alpha2","kind":"MeshConfig","spec":{"sidecar":{"resources":{"limits":{"cpu":1e9}}}}}`, "")
	f.Add("v1", "MeshConfig", `{"apiVersion":"config.openservicemesh.io/v1","kind":"MeshConfig","spec":{"traffic":{"outboundIPRangeExclusions":["::/0"]}}}`, "null")
	validator := webhook.NewValidator(webhook.ValidatorOptions{})
	f.Fuzz(func(t *testing.T, version, kind, object, old string) {
		response := validator.Handle(t.Context(), admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
			Kind:      metav1.GroupVersionKind{Group: "config.openservicemesh.io", Version: version, Kind: kind},
			Operation: admissionv1.Update, Name: "mine",
			Object:    runtime.RawExtension{Raw: []byte(object)},
			OldObject: runtime.RawExtension{Raw: []byte(old)},
		}})
		if !response.Allowed && response.Result.Message == "" {
			t.Errorf("refused without a word: %+v", response)
		}
	})
}
