package webhook

import (
	"fmt"
	"mime"
	"net/http"
)

// guard lets through only what an API server sends to a webhook. Its refusals
// are plain text with an HTTP status, because a review that can't be read has
// no uid to answer to: the API server drops an AdmissionReview without it but
// shows its user the text of a failed call.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if wrong := unlikeAPIServer(r); wrong != nil {
			if wrong.status == http.StatusMethodNotAllowed {
				w.Header().Set("Allow", http.MethodPost)
			}
			refuse(w, wrong)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, int64(bodyLimits.bytes))
		next.ServeHTTP(w, r)
	})
}

// unlikeAPIServer returns why a request is refused, or nil.
func unlikeAPIServer(r *http.Request) *refusal {
	if r.Method != http.MethodPost {
		return &refusal{http.StatusMethodNotAllowed, fmt.Sprintf("method %.16s: webhooks are called with POST", r.Method)}
	}
	header := r.Header.Get("Content-Type")
	if mediaType, _, err := mime.ParseMediaType(header); err != nil || mediaType != "application/json" {
		return &refusal{http.StatusUnsupportedMediaType, fmt.Sprintf("content type %.64q: webhooks take application/json", header)}
	}
	if coding := r.Header.Values("Content-Encoding"); len(coding) > 0 {
		return &refusal{http.StatusUnsupportedMediaType, fmt.Sprintf("content encoding %.64q: webhooks take bodies that are not compressed", coding[0])}
	}
	if r.ContentLength > int64(bodyLimits.bytes) {
		return &refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("body of %d bytes: webhooks take at most %d", r.ContentLength, bodyLimits.bytes)}
	}
	return nil
}
