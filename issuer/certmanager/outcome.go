package certmanager

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The condition types and reasons of CertificateRequests that decide.
const (
	conditionApproved = "Approved"
	conditionDenied   = "Denied"
	conditionInvalid  = "InvalidRequest"
	conditionReady    = "Ready"

	reasonDenied = "Denied"
	reasonFailed = "Failed"
)

// outcome says whether the request came to its end, and how: nil for one that
// was signed. What has failed or was denied never changes again.
func (r *certificateRequest) outcome() (ended bool, err error) {
	if denied, ok := find(r.Status.Conditions, conditionDenied); ok && denied.Status == metav1.ConditionTrue {
		return true, r.denied(denied)
	}
	if invalid, ok := find(r.Status.Conditions, conditionInvalid); ok && invalid.Status == metav1.ConditionTrue {
		return true, &Error{
			Reason:  InvalidRequest,
			Problem: fmt.Sprintf("cert-manager finds the request invalid: %s", invalid.quote()),
			Fix:     fmt.Sprintf("change what %s allows, or choose another issuer", r.Spec.IssuerRef),
		}
	}
	ready, ok := find(r.Status.Conditions, conditionReady)
	switch {
	case !ok:
		return false, nil
	case ready.Status == metav1.ConditionTrue:
		return true, nil
	case ready.Reason == reasonDenied:
		return true, r.denied(ready)
	case ready.Reason == reasonFailed:
		return true, &Error{
			Reason:  Failed,
			Problem: fmt.Sprintf("%s failed to sign: %s", r.Spec.IssuerRef, ready.quote()),
			Fix:     "see to what it says; a new request is made after a while",
		}
	}
	return false, nil
}

func (r *certificateRequest) denied(c condition) error {
	return &Error{
		Reason:  Denied,
		Problem: fmt.Sprintf("an approver denied the request: %s", c.quote()),
		Fix:     fmt.Sprintf("have the approver's policy allow the mesh's requests to %s", r.Spec.IssuerRef),
	}
}

// unanswered says what a request waits for that has not ended.
func (r *certificateRequest) unanswered() *Error {
	ready, ok := find(r.Status.Conditions, conditionReady)
	switch {
	case ok:
		return &Error{
			Reason:  Pending,
			Problem: fmt.Sprintf("%s has not signed yet: %s", r.Spec.IssuerRef, ready.quote()),
			Fix:     "see to what it says",
		}
	case holds(r.Status.Conditions, conditionApproved):
		return &Error{
			Reason:  Pending,
			Problem: fmt.Sprintf("the request is approved, and no controller signs for %s", r.Spec.IssuerRef),
			Fix:     "run the controller of that group, and check the issuer's name, kind and group",
		}
	}
	return &Error{
		Reason:  NotApproved,
		Problem: "no approver has approved the request",
		Fix: "see that cert-manager runs; if its automatic approval is off, or leaves out the issuer, " +
			"have a policy approve the mesh's requests: none waits for a person",
	}
}
