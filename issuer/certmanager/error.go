package certmanager

import (
	"cmp"
	"fmt"

	"github.com/osm-edge/osm/issuer"
)

// Reason tells apart why there is no certificate.
type Reason string

// The reasons.
const (
	// NotInstalled: the API server does not know CertificateRequests.
	NotInstalled Reason = "NotInstalled"
	// Forbidden: the API server does not let the mesh make or watch them.
	Forbidden Reason = "Forbidden"
	// IssuerNotFound: there is no issuer of that name.
	IssuerNotFound Reason = "IssuerNotFound"
	// IssuerNotReady: cert-manager says that the issuer cannot sign.
	IssuerNotReady Reason = "IssuerNotReady"
	// IssuerRefused: the issuer is of a kind that no mesh can be built on.
	IssuerRefused Reason = "IssuerRefused"
	// NotApproved: no one approved or denied the request in time.
	NotApproved Reason = "NotApproved"
	// Denied: an approver denied the request.
	Denied Reason = "Denied"
	// InvalidRequest: cert-manager finds the request invalid.
	InvalidRequest Reason = "InvalidRequest"
	// Failed: the issuer did not sign, and will not.
	Failed Reason = "Failed"
	// Pending: the issuer did not sign in time.
	Pending Reason = "Pending"
	// Removed: the request was deleted before it was answered.
	Removed Reason = "Removed"
	// NotTrusted: what was signed does not lead to a root of the mesh.
	NotTrusted Reason = "NotTrusted"
)

// Error says why there is no certificate, and what would change that.
type Error struct {
	Reason  Reason
	Problem string
	Fix     string
	cause   error // nil if there is none beneath
}

func (e *Error) Error() string {
	text := e.Problem
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text + issuer.ToFix + e.Fix
}

// Unwrap returns what lies beneath, if anything does.
func (e *Error) Unwrap() error { return e.cause }

// Is makes a denial a refusal of the one request: the approver may well let
// others pass.
func (e *Error) Is(target error) bool { return target == issuer.ErrRefused && e.Reason == Denied }

// maxQuoted bounds what is repeated of a text of others.
const maxQuoted = 500

// quote repeats what cert-manager or an approver said.
func quote(reason, message string) string {
	return fmt.Sprintf("%.*q", maxQuoted, cmp.Or(message, reason))
}
