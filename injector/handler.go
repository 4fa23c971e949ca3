package injector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// Namespaces looks up the namespace that a pod is about to be created in; a
// client-go NamespaceLister does. The object is only read.
type Namespaces interface {
	Get(name string) (*corev1.Namespace, error)
}

// Refusals hears of the pods that are refused, so that who wonders where they
// are can read why.
type Refusals interface {
	// Refused is told of a pod that is not created, what namespace it was to be
	// in, and why. Anyone may have sent the pod, which is only read. An answer
	// waits for Refused to return, so it must not wait for others.
	Refused(pod *corev1.Pod, namespace string, reason Reason)
}

// Options are what a Handler works with.
type Options struct {
	// Config returns the configuration that counts for the next pod, such as
	// the Load of an atomic pointer. It must never return nil. Required.
	Config func() *Config
	// Namespaces is asked once a pod. Required.
	Namespaces Namespaces
	// LimitRanges returns those of a namespace, which are only read. Default:
	// there are none.
	LimitRanges func(namespace string) ([]*corev1.LimitRange, error)
	// Registerer takes the handler's metrics. Required.
	Registerer prometheus.Registerer
	// Refusals gets refused pods. Default: none.
	Refusals Refusals
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
	if options.LimitRanges == nil {
		options.LimitRanges = func(string) ([]*corev1.LimitRange, error) { return nil, nil }
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
// that gets none or has it, with 403 and the fix for a pod that can't be
// injected, and with 400 or 500 when the fault is not the pod's. A dry run
// differs only in that no refusal is reported.
func (h *Handler) Handle(ctx context.Context, request admission.Request) admission.Response {
	start := time.Now()
	result := h.admit(request)
	if result.Pod == "" {
		result.Pod = clip(request.Namespace) + "/" + clip(request.Name)
	}
	h.metrics.observe(result, time.Since(start))
	h.log(ctx, request.UID, result)
	dryRun := request.DryRun != nil && *request.DryRun
	if h.options.Refusals != nil && result.Decision == Refused && !dryRun {
		h.options.Refusals.Refused(result.decoded, request.Namespace, result.Reason)
	}
	return result.response()
}

// admit tells what happens to the pod of request.
func (h *Handler) admit(request admission.Request) Result {
	if pods := (metav1.GroupVersionKind{Version: "v1", Kind: "Pod"}); request.Kind != pods || request.SubResource != "" {
		return failed(badRequest, fmt.Errorf(
			"%s %q: this webhook takes v1 pods and no subresource: fix the rules of the MutatingWebhookConfiguration",
			request.Kind, request.SubResource))
	}
	if request.Operation != admissionv1.Create {
		return skipped(notCreated)
	}
	if problems := validation.IsDNS1123Label(request.Namespace); len(problems) > 0 {
		return failed(badRequest, fmt.Errorf("namespace %.64q: %s", request.Namespace, strings.Join(problems, "; ")))
	}
	namespace, err := h.options.Namespaces.Get(request.Namespace)
	if err != nil {
		// A namespace may be newer than what the informer has seen. To fail is
		// safe, and controllers try again.
		return failed(unknownNamespace, fmt.Errorf("looking up the pod's namespace: %w: try again", err))
	}
	ranges, err := h.options.LimitRanges(request.Namespace)
	if err != nil {
		return failed(internal, fmt.Errorf("listing the limit ranges of namespace %s: %w", request.Namespace, err))
	}
	return h.options.Config().Inject(request.Object.Raw, namespace, h.options.NewProxyID(), ranges...)
}

// log writes of a pod only what names it.
func (h *Handler) log(ctx context.Context, request types.UID, r Result) {
	fields := []slog.Attr{
		slog.String("request", clip(string(request))),
		slog.String("pod", r.Pod),
		slog.String("decision", string(r.Decision)),
		slog.String("reason", string(r.Reason)),
	}
	if r.Proxy != "" {
		fields = append(fields, slog.String("proxy", r.Proxy))
	}
	if r.Err != nil {
		fields = append(fields, slog.String("error", r.message()))
	}
	h.options.Logger.LogAttrs(ctx, r.Decision.level(), "pod admission", fields...)
}

func (d Decision) level() slog.Level {
	switch d {
	case Injected:
		return slog.LevelInfo
	case Skipped:
		return slog.LevelDebug
	case Refused:
		return slog.LevelWarn
	}
	return slog.LevelError
}
