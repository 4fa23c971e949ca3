package sds

import (
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Reason says why a proxy was refused, as the label of a metric.
type Reason string

// The reasons for which a proxy is refused.
const (
	ReasonNoToken             Reason = "no_token"
	ReasonMalformedToken      Reason = "malformed_token"
	ReasonSignature           Reason = "signature"
	ReasonIssuer              Reason = "issuer"
	ReasonAudience            Reason = "audience"
	ReasonExpired             Reason = "expired"
	ReasonNotYetValid         Reason = "not_yet_valid"
	ReasonNotBound            Reason = "not_bound_to_pod"
	ReasonTokenReview         Reason = "token_review"
	ReasonPodGone             Reason = "pod_gone"
	ReasonPodFinished         Reason = "pod_finished"
	ReasonOtherServiceAccount Reason = "other_service_account"
	ReasonServiceAccountGone  Reason = "service_account_gone"
	ReasonNotInjected         Reason = "not_injected"
	ReasonForeignSecret       Reason = "foreign_secret"
	ReasonUnknownSecret       Reason = "unknown_secret"
	ReasonProtocol            Reason = "protocol"
	ReasonUnavailable         Reason = "unavailable"

	// What is beyond the Limits.
	ReasonConnections Reason = "connections"
	ReasonStreams     Reason = "streams"
	ReasonNames       Reason = "names"
	ReasonRequests    Reason = "requests"
	ReasonSlow        Reason = "slow_reader"
)

// code tells a client what kind of fix helps: another token, another right,
// another request, or waiting.
func (r Reason) code() codes.Code {
	switch r {
	case ReasonNoToken, ReasonMalformedToken, ReasonSignature, ReasonIssuer, ReasonAudience,
		ReasonExpired, ReasonNotYetValid, ReasonTokenReview:
		return codes.Unauthenticated
	case ReasonUnknownSecret, ReasonProtocol:
		return codes.InvalidArgument
	case ReasonUnavailable:
		return codes.Unavailable
	case ReasonConnections, ReasonStreams, ReasonNames, ReasonRequests, ReasonSlow:
		return codes.ResourceExhausted
	}
	return codes.PermissionDenied
}

// Refusal is why a proxy does not get what it asked for. Its message goes to
// the proxy: it names the fix and holds no secret. What caused it is for the
// log alone.
type Refusal struct {
	Reason  Reason
	Message string
	cause   error
}

func refuse(reason Reason, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// because keeps the error that led to the refusal.
func (r *Refusal) because(err error) *Refusal {
	r.cause = err
	return r
}

// Error returns the message and the cause.
func (r *Refusal) Error() string {
	if r.cause == nil {
		return r.Message
	}
	return r.Message + ": " + r.cause.Error()
}

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.cause }

// GRPCStatus returns what the proxy is told.
func (r *Refusal) GRPCStatus() *status.Status {
	return status.New(r.Reason.code(), r.Message)
}

// asRefusal finds the refusal in an error. Whatever else an Attestor returns is
// a failure to decide, and the proxy may ask again.
func asRefusal(err error) *Refusal {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r
	}
	return refuse(ReasonUnavailable, "the control plane cannot authenticate the caller; it will be tried again").because(err)
}
