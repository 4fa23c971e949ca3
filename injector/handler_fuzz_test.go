package injector_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/webhook"
)

// FuzzAdmissionReview has every body answered, and every patch apply to the pod
// that was sent.
func FuzzAdmissionReview(f *testing.F) {
	var hooks []http.Handler
	for _, placement := range []injector.Placement{injector.Native, injector.Container} {
		config := newConfig(f, func(s *injector.Settings) { s.Placement = placement })
		hook, err := webhook.Admission(newHandler(f, func(o *injector.Options) {
			o.Config = func() *injector.Config { return config }
		}), slog.New(slog.DiscardHandler))
		if err != nil {
			f.Fatal(err)
		}
		hooks = append(hooks, hook)
	}
	const head = `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"1","kind":{"version":"v1","kind":"Pod"},` +
		`"namespace":"bookstore","operation":"CREATE","object":`
	for _, pod := range []string{
		`{"spec":{"containers":[{"name":"a"}]}}`,
		`{"metadata":{"name":"a","labels":null,"annotations":{}},"spec":{"initContainers":[],"volumes":null,"containers":[{"name":"a","livenessProbe":{"httpGet":{"port":1}}}]}}`,
		`{"metadata":{"annotations":{"openservicemesh.io/inbound-port-exclusion-list":"1"}},"spec":{"containers":[{"name":"a","lifecycle":{"preStop":{"httpGet":{"port":1}}}}]}}`,
		`{"spec":{"containers":[{"name":"sidecar","volumeMounts":[{"name":"osm-identity"}]},{"name":"a"}],"volumes":[{"name":"osm-identity",` +
			`"projected":{"sources":[{"serviceAccountToken":{"audience":"osm-sds"}}]}}]}}`,
		`null`,
	} {
		f.Add([]byte(head + pod + "}}"))
	}
	for _, body := range []string{"", "{}", "null", "[]", head} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, hook := range hooks {
			checkAnswer(t, hook, body)
		}
	})
}

func checkAnswer(t *testing.T, hook http.Handler, body []byte) {
	request := httptest.NewRequest(http.MethodPost, "/mutate-pod-creation", bytes.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	hook.ServeHTTP(recorder, request)
	if recorder.Code == http.StatusRequestEntityTooLarge || recorder.Code == http.StatusBadRequest {
		return // beyond the limits, or a name twice
	}
	var answer, asked admissionv1.AdmissionReview
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil || answer.Response == nil {
		t.Fatalf("answered %d %s", recorder.Code, recorder.Body)
	}
	if result := answer.Response.Result; result != nil && result.Code == http.StatusInternalServerError && strings.Contains(result.Message, "panic") {
		t.Errorf("answered %s", result.Message)
	}
	if answer.Response.Patch == nil {
		return
	}
	patch, err := jsonpatch.DecodePatch(answer.Response.Patch)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, &asked); err != nil || asked.Request == nil {
		return // the codec of the webhook reads it otherwise
	}
	if _, err := patch.Apply(asked.Request.Object.Raw); err != nil {
		t.Errorf("%s does not apply to %s: %v", answer.Response.Patch, asked.Request.Object.Raw, err)
	}
}
