package webhook

import (
	"log/slog"
	"net/http"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// Admission answers AdmissionReviews with the decisions of handler. A panic of
// handler becomes an error answer, so one bad object can't end the process.
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
	// registers no metrics.
	return admission.StandaloneWebhook(hook, admission.StandaloneOptions{
		Logger: logr.FromSlogHandler(logger.Handler()),
	})
}
