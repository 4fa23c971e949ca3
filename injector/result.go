package injector

import (
	"gomodules.xyz/jsonpatch/v2"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// result is how an admission ended, before it is encoded.
type result struct {
	outcome outcome
	pod     string                // <namespace>/<name>
	reason  string                // of injected and skipped
	proxy   string                // of injected
	patch   []jsonpatch.Operation // of injected
	err     error                 // of refused and error
	code    int32                 // of error: HTTP status
}

func skipped(reason string) result {
	return result{outcome: outcomeSkipped, reason: reason}
}

func refused(err error) result {
	return result{outcome: outcomeRefused, err: err}
}

func failed(code int32, err error) result {
	return result{outcome: outcomeError, code: code, err: err}
}

func (r result) response() admission.Response {
	switch r.outcome {
	case outcomeInjected:
		return admission.Patched("", r.patch...)
	case outcomeSkipped:
		return admission.Allowed("")
	case outcomeRefused:
		return admission.Denied(r.err.Error())
	}
	return admission.Errored(r.code, r.err)
}
