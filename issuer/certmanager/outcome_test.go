package certmanager

import (
	"errors"
	"strings"
	"testing"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/issuer"
)

type condition = cmapi.CertificateRequestCondition

const (
	approval = cmapi.CertificateRequestConditionApproved
	denial   = cmapi.CertificateRequestConditionDenied
	invalid  = cmapi.CertificateRequestConditionInvalidRequest
	ready    = cmapi.CertificateRequestConditionReady
)

func requestWith(conditions ...condition) *cmapi.CertificateRequest {
	return &cmapi.CertificateRequest{
		Spec:   cmapi.CertificateRequestSpec{IssuerRef: cmmeta.IssuerReference{Name: "osm-ca", Kind: kindIssuer, Group: certManagerGroup}},
		Status: cmapi.CertificateRequestStatus{Conditions: conditions},
	}
}

func TestARequestEndsOnceItIsDecided(t *testing.T) {
	const yes, no = cmmeta.ConditionTrue, cmmeta.ConditionFalse
	approved := condition{Type: approval, Status: yes, Reason: "cert-manager.io", Message: "approved"}
	tests := map[string]struct {
		conditions []condition
		ended      bool
		reason     Reason
		says       string
	}{
		"no one has looked at it":      {nil, false, "", ""},
		"it is approved":               {[]condition{approved}, false, "", ""},
		"it is pending":                {[]condition{approved, {Type: ready, Status: no, Reason: "Pending", Message: "not found"}}, false, "", ""},
		"it is not denied":             {[]condition{{Type: denial, Status: no, Reason: "", Message: ""}}, false, "", ""},
		"it is signed":                 {[]condition{approved, {Type: ready, Status: yes, Reason: "Issued", Message: ""}}, true, "", ""},
		"it is denied":                 {[]condition{{Type: denial, Status: yes, Reason: "Policy", Message: "not the mesh's"}}, true, Denied, `"not the mesh's"`},
		"it is denied without a word":  {[]condition{{Type: denial, Status: yes, Reason: "Policy", Message: ""}}, true, Denied, `"Policy"`},
		"the denial was taken up":      {[]condition{{Type: ready, Status: no, Reason: "Denied", Message: "denied by policy"}}, true, Denied, "denied by policy"},
		"it is invalid":                {[]condition{approved, {Type: invalid, Status: yes, Reason: "", Message: "a bad CSR"}}, true, InvalidRequest, "a bad CSR"},
		"it failed":                    {[]condition{approved, {Type: ready, Status: no, Reason: "Failed", Message: "no such role"}}, true, Failed, "no such role"},
		"it failed with a long speech": {[]condition{{Type: ready, Status: no, Reason: "Failed", Message: strings.Repeat("x", 9999)}}, true, Failed, strings.Repeat("x", maxQuoted) + `"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ended, err := outcome(requestWith(test.conditions...))
			if ended != test.ended {
				t.Errorf("ended %v, want %v", ended, test.ended)
			}
			expectReason(t, err, test.reason, test.says)
			if got := errors.Is(err, issuer.ErrRefused); got != (test.reason == Denied) {
				t.Errorf("a refusal of this request: %v", got)
			}
		})
	}
}

func TestARequestThatHasNotEndedSaysWhatItWaitsFor(t *testing.T) {
	approved := condition{Type: approval, Status: cmmeta.ConditionTrue, Reason: "", Message: ""}
	tests := map[string]struct {
		conditions []condition
		reason     Reason
		says       string
	}{
		"an approver":   {nil, NotApproved, "automatic approval is off"},
		"the issuer":    {[]condition{approved, {Type: ready, Status: cmmeta.ConditionFalse, Reason: "Pending", Message: "secret not found"}}, Pending, "secret not found"},
		"a controller":  {[]condition{approved}, Pending, `no controller signs for Issuer.cert-manager.io "osm-ca"`},
		"no one at all": {[]condition{{Type: approval, Status: cmmeta.ConditionFalse, Reason: "", Message: ""}}, NotApproved, "no approver has approved"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			expectReason(t, unanswered(requestWith(test.conditions...)), test.reason, test.says)
		})
	}
}

// expectReason wants an Error for that reason that says so; none for an empty
// one.
func expectReason(t *testing.T, err error, reason Reason, says string) {
	t.Helper()
	var failure *Error
	switch {
	case reason == "" && err == nil:
	case reason == "" || !errors.As(err, &failure):
		t.Errorf("error %v, want reason %q", err, reason)
	case failure.Reason != reason || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "to fix it, "):
		t.Errorf("reason %s, error %q, want %s and %q", failure.Reason, err, reason, says)
	}
}
