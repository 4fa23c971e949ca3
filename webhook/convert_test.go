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

func TestObjectsAreConvertedToTheVersionAskedFor(t *testing.T) {
	body := strings.ReplaceAll(conversion, `{"unknown":[1,2]}`, `{"sidecar":{"sidecarImage":"pipy"},"unknown":[1,2]}`)
	response := converted(t, strings.Replace(body, `desiredAPIVersion":"config.openservicemesh.io/v1alpha2"`, `desiredAPIVersion":"config.openservicemesh.io/v1"`, 1))
	if response.UID != "u-1" || response.Result.Status != metav1.StatusSuccess || len(response.ConvertedObjects) != 2 {
		t.Fatalf("answered %+v", response)
	}
	want := `{"apiVersion":"config.openservicemesh.io/v1","kind":"MeshConfig","metadata":{"annotations":{` +
		`"config.openservicemesh.io/v1alpha2-fields":"{\"spec\":{\"unknown\":[1,2]}}"},"name":"a"},"spec":{"sidecar":{"image":"pipy"}}}`
	if got := string(response.ConvertedObjects[0].Raw); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAnObjectThatCanNotBeConvertedFailsTheConversion(t *testing.T) {
	tests := map[string]struct {
		object string // the second
		want   []string
	}{
		"of another version": {`{"apiVersion":"config.openservicemesh.io/v1alpha1","kind":"MeshConfig","metadata":{"name":"b","namespace":"osm-system"}}`,
			[]string{"MeshConfig osm-system/b", "v1alpha1", "v1alpha2"}},
		"of a spoilt annotation": {`{"apiVersion":"config.openservicemesh.io/v1","kind":"MeshConfig","metadata":{"name":"b","annotations":{"config.openservicemesh.io/v1alpha2-fields":"x"}}}`,
			[]string{"MeshConfig", "metadata.annotations[config.openservicemesh.io/v1alpha2-fields]", "remove the annotation"}},
		"that is none":    {`[]`, []string{"decoding an object to convert"}},
		"that is nothing": {`null`, []string{"decoding an object to convert"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			response := converted(t, strings.Replace(conversion,
				`{"apiVersion":"config.openservicemesh.io/v1alpha2","kind":"MeshConfig","metadata":{"name":"b","namespace":"osm-system"}}`, test.object, 1))
			if response.UID != "u-1" || response.Result.Status != metav1.StatusFailure || response.ConvertedObjects != nil {
				t.Errorf("answered %+v", response)
			}
			for _, want := range test.want {
				if !strings.Contains(response.Result.Message, want) {
					t.Errorf("message %q lacks %q", response.Result.Message, want)
				}
			}
		})
	}
}

func converted(t *testing.T, body string) *apiextensionsv1.ConversionResponse {
	t.Helper()
	var answered apiextensionsv1.ConversionReview
	if err := json.Unmarshal(convert(body).Body.Bytes(), &answered); err != nil {
		t.Fatal(err)
	}
	return answered.Response
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
