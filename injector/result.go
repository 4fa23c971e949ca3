package injector

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// Result is what becomes of a pod that is about to be created.
type Result struct {
	Decision Decision
	Reason   Reason
	// Pod is <namespace>/<name>, with a prefix and "*" for a name that is yet to
	// be generated.
	Pod string
	// Proxy is the id of the sidecar, of Injected.
	Proxy string
	// Patch is the JSON Patch (RFC 6902) that adds the sidecar, of Injected.
	Patch []jsonpatch.Operation
	// Warnings are for who creates the pod, at most 256 bytes each.
	Warnings []string
	// Err says what is wrong, where, and its fix, of Refused and Failed.
	Err error

	decoded *corev1.Pod // nil if it could not be
}

func skipped(reason Reason) Result {
	return Result{Decision: Skipped, Reason: reason}
}

func refused(reason Reason, err error) Result {
	return Result{Decision: Refused, Reason: reason, Err: err}
}

func failed(reason Reason, err error) Result {
	return Result{Decision: Failed, Reason: reason, Err: err}
}

func (r Result) response() admission.Response {
	return r.answer().WithWarnings(r.Warnings...)
}

func (r Result) answer() admission.Response {
	switch r.Decision {
	case Injected:
		return patched(r.Patch)
	case Skipped:
		return admission.Allowed("")
	case Refused:
		return admission.Denied(r.message())
	}
	switch {
	case r.Reason == badRequest:
		return admission.Errored(http.StatusBadRequest, errors.New(r.message()))
	case r.Reason == unknownNamespace && apierrors.IsNotFound(r.Err):
		return admission.Errored(http.StatusInternalServerError, errors.New(r.message()))
	}
	// What went wrong within the mesh is the log's alone.
	return admission.Errored(http.StatusInternalServerError, fmt.Errorf("%s: try again; the log of osm-injector says why", r.Reason.Explanation()))
}

// maxMessage is the longest message, in bytes. It may quote the pod.
const maxMessage = 4 << 10

func (r Result) message() string {
	message := r.Err.Error()
	if len(message) > maxMessage {
		return strings.ToValidUTF8(message[:maxMessage], "") + " …"
	}
	return message
}

// plainOperation is an operation without its own way to be encoded, which
// encodes twice what is added. All that it is for is to add null, which this
// package does not.
type plainOperation operation

func patched(patch []operation) admission.Response {
	plain := make([]plainOperation, len(patch))
	for i, operation := range patch {
		plain[i] = plainOperation(operation)
	}
	encoded, err := json.Marshal(plain)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, fmt.Errorf("encoding the patch: %w", err))
	}
	response := admission.Allowed("")
	response.Patch, response.PatchType = encoded, new(admissionv1.PatchTypeJSONPatch)
	return response
}
