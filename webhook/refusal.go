package webhook

import (
	"errors"
	"fmt"
	"net/http"
	"os"
)

// refusal is a request that is not answered, with its HTTP status.
type refusal struct {
	status int
	reason string
}

func (r *refusal) Error() string { return r.reason }

func tooLarge(format string, args ...any) error {
	return &refusal{http.StatusRequestEntityTooLarge, "the body has " + fmt.Sprintf(format, args...) + ": send a smaller object"}
}

func malformed(reason string) error {
	return &refusal{http.StatusBadRequest, reason + ": send valid JSON with unique names"}
}

// refuse answers in plain text: a review that can't be read has no uid to answer
// to. The connection ends with it, so that what is left of the body is not read.
func refuse(w http.ResponseWriter, err error) {
	status, reason := http.StatusBadRequest, "reading the body failed"
	refused, long := (*refusal)(nil), (*http.MaxBytesError)(nil)
	switch {
	case errors.As(err, &refused):
		status, reason = refused.status, refused.reason
	case errors.As(err, &long):
		status, reason = http.StatusRequestEntityTooLarge, fmt.Sprintf("a body of more than %d bytes: send a smaller object", long.Limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		status, reason = http.StatusRequestTimeout, fmt.Sprintf("the body did not come within %s", bodyTime)
	}
	if status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	w.Header().Set("Connection", "close")
	http.Error(w, reason, status)
}
