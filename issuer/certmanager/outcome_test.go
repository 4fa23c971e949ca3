package certmanager

import (
	"errors"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/issuer"
)

func requestWith(conditions ...condition) *certificateRequest {
	return &certificateRequest{
		Spec:   requestSpec{IssuerRef: Reference{"osm-ca", kindIssuer, certManagerGroup}},
		Status: requestStatus{Conditions: conditions},
	}
}

func TestARequestEndsWhenSomebodyHasDecided(t *testing.T) {
	const yes, no = metav1.ConditionTrue, metav1.ConditionFalse
	approved := condition{conditionApproved, yes, "cert-manager.io", "approved"}
	tests := map[string]struct {
		conditions []condition
		ended      bool
		reason     Reason
		says       string
	}{
		"nobody has looked at it":      {nil, false, "", ""},
		"it is approved":               {[]condition{approved}, false, "", ""},
		"it is pending":                {[]condition{approved, {conditionReady, no, "Pending", "not found"}}, false, "", ""},
		"it is not denied":             {[]condition{{conditionDenied, no, "", ""}}, false, "", ""},
		"it is signed":                 {[]condition{approved, {conditionReady, yes, "Issued", ""}}, true, "", ""},
		"it is denied":                 {[]condition{{conditionDenied, yes, "Policy", "not the mesh's"}}, true, Denied, `"not the mesh's"`},
		"it is denied without a word":  {[]condition{{conditionDenied, yes, "Policy", ""}}, true, Denied, `"Policy"`},
		"the denial was taken up":      {[]condition{{conditionReady, no, "Denied", "denied by policy"}}, true, Denied, "denied by policy"},
		"it is invalid":                {[]condition{approved, {conditionInvalid, yes, "", "a bad CSR"}}, true, InvalidRequest, "a bad CSR"},
		"it failed":                    {[]condition{approved, {conditionReady, no, "Failed", "no such role"}}, true, Failed, "no such role"},
		"it failed with a long speech": {[]condition{{conditionReady, no, "Failed", strings.Repeat("x", 9999)}}, true, Failed, strings.Repeat("x", maxQuoted) + `"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ended, err := requestWith(test.conditions...).outcome()
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
	approved := condition{conditionApproved, metav1.ConditionTrue, "", ""}
	tests := map[string]struct {
		conditions []condition
		reason     Reason
		says       string
	}{
		"an approver":   {nil, NotApproved, "automatic approval is off"},
		"the issuer":    {[]condition{approved, {conditionReady, metav1.ConditionFalse, "Pending", "secret not found"}}, Pending, "secret not found"},
		"a controller":  {[]condition{approved}, Pending, `no controller signs for Issuer.cert-manager.io "osm-ca"`},
		"nobody at all": {[]condition{{conditionApproved, metav1.ConditionFalse, "", ""}}, NotApproved, "no approver has approved"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			expectReason(t, requestWith(test.conditions...).unanswered(), test.reason, test.says)
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
