package certmanager

import (
	"fmt"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
)

// find returns the condition of a request of that type, and whether there is one.
func find(r *cmapi.CertificateRequest, kind cmapi.CertificateRequestConditionType) (cmapi.CertificateRequestCondition, bool) {
	for _, c := range r.Status.Conditions {
		if c.Type == kind {
			return c, true
		}
	}
	return cmapi.CertificateRequestCondition{}, false
}

func holds(r *cmapi.CertificateRequest, kind cmapi.CertificateRequestConditionType) bool {
	c, ok := find(r, kind)
	return ok && c.Status == cmmeta.ConditionTrue
}

// outcome says whether the request came to its end, and how: nil for one that
// was signed. What has failed or was denied never changes again.
func outcome(r *cmapi.CertificateRequest) (ended bool, err error) {
	if denied, ok := find(r, cmapi.CertificateRequestConditionDenied); ok && denied.Status == cmmeta.ConditionTrue {
		return true, deniedBy(r, denied)
	}
	if invalid, ok := find(r, cmapi.CertificateRequestConditionInvalidRequest); ok && invalid.Status == cmmeta.ConditionTrue {
		return true, &Error{
			Reason:  InvalidRequest,
			Problem: fmt.Sprintf("cert-manager finds the request invalid: %s", quote(invalid.Reason, invalid.Message)),
			Fix:     fmt.Sprintf("change what %s allows, or choose another issuer", Reference(r.Spec.IssuerRef)),
		}
	}
	ready, ok := find(r, cmapi.CertificateRequestConditionReady)
	switch {
	case !ok:
		return false, nil
	case ready.Status == cmmeta.ConditionTrue:
		return true, nil
	case ready.Reason == cmapi.CertificateRequestReasonDenied:
		return true, deniedBy(r, ready)
	case ready.Reason == cmapi.CertificateRequestReasonFailed:
		return true, &Error{
			Reason:  Failed,
			Problem: fmt.Sprintf("%s failed to sign: %s", Reference(r.Spec.IssuerRef), quote(ready.Reason, ready.Message)),
			Fix:     "correct what it reports; a new request is made after a while",
		}
	}
	return false, nil
}

func deniedBy(r *cmapi.CertificateRequest, c cmapi.CertificateRequestCondition) error {
	return &Error{
		Reason:  Denied,
		Problem: fmt.Sprintf("an approver denied the request: %s", quote(c.Reason, c.Message)),
		Fix:     fmt.Sprintf("have the approver's policy allow the mesh's requests to %s", Reference(r.Spec.IssuerRef)),
	}
}

// unanswered says what a request waits for that has not ended.
func unanswered(r *cmapi.CertificateRequest) *Error {
	ready, ok := find(r, cmapi.CertificateRequestConditionReady)
	switch {
	case ok:
		return &Error{
			Reason:  Pending,
			Problem: fmt.Sprintf("%s has not signed yet: %s", Reference(r.Spec.IssuerRef), quote(ready.Reason, ready.Message)),
			Fix:     "correct what it reports",
		}
	case holds(r, cmapi.CertificateRequestConditionApproved):
		return &Error{
			Reason:  Pending,
			Problem: fmt.Sprintf("the request is approved, and no controller signs for %s", Reference(r.Spec.IssuerRef)),
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
