package webhook

import (
	"fmt"
	"mime"
	"net/http"
)

// maxBodyBytes is the most a webhook reads of a request: an AdmissionReview
// holds at most two objects, each bounded by the API server's own limit of
// 3 MiB, and what describes the request.
const maxBodyBytes = 7 << 20

// guard lets through only what an API server sends to a webhook. Its refusals
// are plain text with an HTTP status, because a review that can't be read has
// no uid to answer to: the API server drops an AdmissionReview without it but
// shows its user the text of a failed call.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status, reason := refuse(r); status != 0 {
			if status == http.StatusMethodNotAllowed {
				w.Header().Set("Allow", http.MethodPost)
			}
			http.Error(w, reason, status)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBodyBytes)
		next.ServeHTTP(w, r)
	})
}

// refuse returns the HTTP status and reason of a refusal, or zero.
func refuse(r *http.Request) (status int, reason string) {
	if r.Method != http.MethodPost {
		return http.StatusMethodNotAllowed,
			fmt.Sprintf("method %s: webhooks are called with POST", r.Method)
	}
	header := r.Header.Get("Content-Type")
	if mediaType, _, err := mime.ParseMediaType(header); err != nil || mediaType != "application/json" {
		return http.StatusUnsupportedMediaType,
			fmt.Sprintf("content type %q: webhooks take application/json", header)
	}
	if r.ContentLength > maxBodyBytes {
		return http.StatusRequestEntityTooLarge,
			fmt.Sprintf("body of %d bytes: webhooks take at most %d", r.ContentLength, maxBodyBytes)
	}
	return 0, ""
}
