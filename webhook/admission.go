package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// Admission answers AdmissionReviews with the decisions of handler. A panic of
// handler becomes an error answer, so one bad object can't end the process.
// Bodies are held to limits before they are decoded.
func Admission(handler admission.Handler, logger *slog.Logger) (http.Handler, error) {
	hook := &admission.Webhook{
		Handler: handler,
		// Handlers log their own decisions with the fields they know. The
		// default constructor would format the request's fields twice for
		// lines that are never written.
		LogConstructor: func(base logr.Logger, _ *admission.Request) logr.Logger { return base },
	}
	// The standalone form takes its logger from here instead of from
	// controller-runtime's global one, and without a metrics path it
	// registers no metrics. What it returns would decode whatever it is sent.
	if _, err := admission.StandaloneWebhook(hook, admission.StandaloneOptions{
		Logger: logr.FromSlogHandler(logger.Handler()),
	}); err != nil {
		return nil, err
	}
	return newIntake(bodyLimits).handle(func(w http.ResponseWriter, r *http.Request, body []byte) {
		review := answerReview(r.Context(), hook, body)
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(review); err != nil {
			logger.ErrorContext(r.Context(), "admission answer not sent", "uid", review.Response.UID, "error", err)
		}
	}), nil
}

func answerReview(ctx context.Context, hook *admission.Webhook, body []byte) *admissionv1.AdmissionReview {
	review, err := readReviewed(body)
	if err != nil {
		response := admission.Errored(http.StatusBadRequest, err)
		return answered(&response)
	}
	response := hook.Handle(ctx, admission.Request{AdmissionRequest: *review.Request})
	answer := answered(&response)
	answer.TypeMeta = review.TypeMeta
	return answer
}

func readReviewed(body []byte) (*admissionv1.AdmissionReview, error) {
	review := &admissionv1.AdmissionReview{}
	if err := json.Unmarshal(body, review); err != nil {
		return nil, fmt.Errorf("decoding the AdmissionReview: %w", err)
	}
	if known := admissionv1.SchemeGroupVersion.WithKind("AdmissionReview"); review.GroupVersionKind() != known {
		return nil, fmt.Errorf("this is %.128s, not %s: set admissionReviewVersions to v1 in the webhook configuration", review.GroupVersionKind(), known)
	}
	if review.Request == nil {
		return nil, errors.New("the AdmissionReview has no request")
	}
	return review, nil
}

const (
	// maxMessage is the longest message of an answer, in bytes, and maxCauses how
	// many causes it names: they may quote the object.
	maxMessage = 8 << 10
	maxCauses  = 64
)

func answered(response *admission.Response) *admissionv1.AdmissionReview {
	if result := response.Result; result != nil {
		result.Message = clip(result.Message, maxMessage)
		if details := result.Details; details != nil {
			details.Causes = slices.Clone(details.Causes[:min(len(details.Causes), maxCauses)])
			for i := range details.Causes {
				details.Causes[i].Message = clip(details.Causes[i].Message, maxMessage/maxCauses*4)
			}
		}
	}
	return &admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "AdmissionReview"},
		Response: &response.AdmissionResponse,
	}
}

// clip cuts a text between letters.
func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + " …"
}
