package webhook_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/osm-edge/osm/webhook"
)

// explosive are bodies of 7 MB at most that take a decoder hundreds of megabytes.
func explosive(before, after string) map[string]string {
	room := 7<<20 - len(before) - len(after) - 64
	fill := func(head, item, tail string) string {
		return before + head + strings.TrimSuffix(strings.Repeat(item, (room-len(head)-len(tail))/len(item)), ",") + tail + after
	}
	names := &strings.Builder{}
	for i := 0; names.Len() < room-32; i++ {
		fmt.Fprintf(names, `"%x":{},`, i)
	}
	return map[string]string{
		"elements":         fill(`{"x":[`, `{},`, `]}`),
		"nested elements":  fill(`{"x":[`, `[[{}]],`, `]}`),
		"numbers":          fill(`{"x":[`, `1,`, `]}`),
		"depth":            fill(`{"x":`, `[`, `]}`),
		"members":          before + `{` + strings.TrimSuffix(names.String(), ",") + `}` + after,
		"one member often": fill(`{`, `"a":1,`, `}`),
		"a string":         fill(`{"x":"`, `a`, `"}`),
	}
}

func TestABodyThatWouldExplodeTakesNoMemory(t *testing.T) {
	admission, err := webhook.Admission(webhook.NewValidator(webhook.ValidatorOptions{}), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	const object = `{"apiVersion":"config.openservicemesh.io/v1alpha2","kind":"MeshConfig","metadata":{"name":"a"},"spec":`
	for kind, handler := range map[string]struct {
		http.Handler
		before, after string
	}{
		"conversion": {webhook.NewConverter(slog.New(slog.DiscardHandler)), `{"kind":"ConversionReview","apiVersion":"apiextensions.k8s.io/v1","request":{"uid":"u",` +
			`"desiredAPIVersion":"config.openservicemesh.io/v1","objects":[` + object, `}]}}`},
		"validation": {admission, `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u","operation":"CREATE",` +
			`"kind":{"group":"config.openservicemesh.io","version":"v1alpha2","kind":"MeshConfig"},"object":` + object, `}}}`},
	} {
		for name, body := range explosive(handler.before, handler.after) {
			t.Run(kind+" of "+name, func(t *testing.T) {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				recorder := httptest.NewRecorder()
				handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/", bytes.NewReader([]byte(body))))
				runtime.ReadMemStats(&after)
				if taken := after.TotalAlloc - before.TotalAlloc; taken > 24<<20 || recorder.Code != http.StatusRequestEntityTooLarge && recorder.Code != http.StatusBadRequest {
					t.Errorf("answered %d, and took %d MB altogether", recorder.Code, taken>>20)
				}
			})
		}
	}
}

func TestWhatAnnotationsHoldIsHeldToLimits(t *testing.T) {
	bomb := strings.TrimSuffix(strings.Repeat("{},", 70_000), ",")
	response := converted(t, `{"kind":"ConversionReview","apiVersion":"apiextensions.k8s.io/v1","request":{"uid":"u-1","desiredAPIVersion":"config.openservicemesh.io/v1alpha2","objects":[
		{"apiVersion":"config.openservicemesh.io/v1","kind":"MeshConfig","metadata":{"name":"a","annotations":{"config.openservicemesh.io/v1alpha2-fields":"{\"spec\":{\"x\":[`+bomb+`]}}"}}}]}}`)
	if !strings.Contains(response.Result.Message, "more than 20000 values") {
		t.Errorf("answered %.300s", response.Result.Message)
	}
}
