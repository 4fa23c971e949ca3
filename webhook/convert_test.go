package webhook_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/osm-edge/osm/webhook"
)

const conversion = `{"kind":"ConversionReview","apiVersion":"apiextensions.k8s.io/v1","request":{"uid":"u-1",
	"desiredAPIVersion":"config.openservicemesh.io/v1alpha2","objects":[
	{"apiVersion":"config.openservicemesh.io/v1alpha2","kind":"MeshConfig","metadata":{"name":"a"},"spec":{"unknown":[1,2]}},
	{"apiVersion":"config.openservicemesh.io/v1alpha2","kind":"MeshConfig","metadata":{"name":"b","namespace":"osm-system"}}]}}`

func convert(body string) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	request := httptest.NewRequest(http.MethodPost, "/convert", strings.NewReader(body))
	webhook.NewConverter(slog.New(slog.DiscardHandler)).ServeHTTP(recorder, request)
	return recorder
}

func TestObjectsAtTheVersionAskedForPassUnchanged(t *testing.T) {
	var asked, answered apiextensionsv1.ConversionReview
	if err := json.Unmarshal([]byte(conversion), &asked); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(convert(conversion).Body.Bytes(), &answered); err != nil {
		t.Fatal(err)
	}
	if answered.TypeMeta != asked.TypeMeta || answered.Request != nil {
		t.Errorf("answered as %v with request %v", answered.TypeMeta, answered.Request)
	}
	response := answered.Response
	if response.UID != "u-1" || response.Result.Status != metav1.StatusSuccess || len(response.ConvertedObjects) != 2 {
		t.Fatalf("answered %+v", response)
	}
	for i, object := range response.ConvertedObjects {
		if !bytes.Equal(object.Raw, asked.Request.Objects[i].Raw) {
			t.Errorf("object %d became %s", i, object.Raw)
		}
	}
}

func TestAnObjectOfAnotherVersionFailsTheConversionByBothVersions(t *testing.T) {
	body := strings.Replace(conversion, `io/v1alpha2","kind":"MeshConfig","metadata":{"name":"b"`, `io/v1alpha1","kind":"MeshConfig","metadata":{"name":"b"`, 1)
	var answered apiextensionsv1.ConversionReview
	if err := json.Unmarshal(convert(body).Body.Bytes(), &answered); err != nil {
		t.Fatal(err)
	}
	response := answered.Response
	if response.UID != "u-1" || response.Result.Status != metav1.StatusFailure || response.ConvertedObjects != nil {
		t.Errorf("answered %+v", response)
	}
	for _, want := range []string{"MeshConfig osm-system/b", "v1alpha1", "v1alpha2"} {
		if !strings.Contains(response.Result.Message, want) {
			t.Errorf("message %q lacks %q", response.Result.Message, want)
		}
	}
}

func TestWhatIsNotAConversionReviewIsABadRequest(t *testing.T) {
	for name, test := range map[string]struct{ body, want string }{
		"no JSON":         {"{", "decoding the ConversionReview"},
		"another version": {strings.Replace(conversion, "/v1\"", "/v1beta1\"", 1), "set conversionReviewVersions to v1"},
		"another kind":    {`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}`, "AdmissionReview"},
		"no request":      {`{"kind":"ConversionReview","apiVersion":"apiextensions.k8s.io/v1"}`, "no request"},
	} {
		t.Run(name, func(t *testing.T) {
			recorder := convert(test.body)
			if recorder.Code != http.StatusBadRequest || !strings.Contains(recorder.Body.String(), test.want) {
				t.Errorf("status %d: %s", recorder.Code, recorder.Body)
			}
		})
	}
}
