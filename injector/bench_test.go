package injector_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/osm-edge/osm/webhook"
)

// BenchmarkAdmissionReview is the handler from the bytes of an AdmissionReview,
// for a pod of three containers with probes, to the bytes of its answer.
func BenchmarkAdmissionReview(b *testing.B) {
	hook, err := webhook.Admission(newHandler(b), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	review := encode(b, realReview(b))
	b.SetBytes(int64(len(review)))
	b.ReportAllocs()
	for b.Loop() {
		request := httptest.NewRequest(http.MethodPost, "/mutate-pod-creation", bytes.NewReader(review))
		request.Header.Set("Content-Type", "application/json")
		recorder := httptest.NewRecorder()
		hook.ServeHTTP(recorder, request)
		if !bytes.Contains(recorder.Body.Bytes(), []byte(`"allowed":true`)) {
			b.Fatalf("answered %s", recorder.Body)
		}
	}
}
