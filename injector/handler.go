package injector

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// Namespaces looks up the namespace that a pod is about to be created in; a
// client-go NamespaceLister does. The object is only read.
type Namespaces interface {
	Get(name string) (*corev1.Namespace, error)
}

// Options are what a Handler works with.
type Options struct {
	// Config returns the configuration that counts for the next pod, such as
	// the Load of an atomic pointer. It must never return nil. Required.
	Config func() *Config
	// Namespaces is asked once a pod. Required.
	Namespaces Namespaces
	// Registerer takes the handler's metrics. Required.
	Registerer prometheus.Registerer
	// NewProxyID returns a new proxy's id, a UUID. Default: a random one.
	NewProxyID func() string
	// Logger gets one line an admission. Default: none is logged.
	Logger *slog.Logger
}

// Handler answers admission requests for new pods.
type Handler struct {
	options Options
	metrics *metrics
}

var _ admission.Handler = (*Handler)(nil)

// NewHandler returns a Handler. It fails when something required is missing,
// or the metrics are registered already.
func NewHandler(options Options) (*Handler, error) {
	if options.Config == nil || options.Namespaces == nil || options.Registerer == nil {
		return nil, errors.New("injector: Config, Namespaces and Registerer are required")
	}
	if options.NewProxyID == nil {
		options.NewProxyID = uuid.NewString
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	metrics, err := newMetrics(options.Registerer)
	if err != nil {
		return nil, err
	}
	return &Handler{options: options, metrics: metrics}, nil
}

// Handle answers with a patch that adds the sidecar, with no patch for a pod
// that gets none or has it, with 403 and the mend for a pod that can't be
// injected, and with 400 or 500 when the fault is not the pod's. It changes
// nothing, so a dry run is answered like any other request.
func (h *Handler) Handle(ctx context.Context, request admission.Request) admission.Response {
	start := time.Now()
	result := h.admit(request)
	if result.pod == "" {
		result.pod = request.Namespace + "/" + request.Name
	}
	h.metrics.observe(result.outcome, time.Since(start))
	h.log(ctx, request.UID, result)
	return result.response()
}

// log writes of a pod only what names it.
func (h *Handler) log(ctx context.Context, request types.UID, r result) {
	level := slog.LevelInfo
	fields := []slog.Attr{
		slog.String("request", string(request)),
		slog.String("pod", r.pod),
		slog.String("outcome", string(r.outcome)),
	}
	switch r.outcome {
	case outcomeInjected:
		fields = append(fields, slog.String("proxy", r.proxy), slog.String("reason", r.reason))
	case outcomeSkipped:
		level = slog.LevelDebug
		fields = append(fields, slog.String("reason", r.reason))
	case outcomeRefused:
		level = slog.LevelWarn
		fields = append(fields, slog.Any("error", r.err))
	case outcomeError:
		level = slog.LevelError
		fields = append(fields, slog.Any("error", r.err))
	}
	h.options.Logger.LogAttrs(ctx, level, "pod admission", fields...)
}
