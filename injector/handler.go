package injector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/osm-edge/osm/manifests/mesh"
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
	return admission.Errored(http.StatusInternalServerError, fmt.Errorf("%s: try again; the log of osm-injector shows why", r.Reason.Explanation()))
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

// maxWarningBytes is what API servers show of all warnings about an object.
const maxWarningBytes = 4096

// podSecurityLabel says which Pod Security Standard a namespace enforces.
const podSecurityLabel = "pod-security.kubernetes.io/enforce"

// skipWarnings are for pods that would be injected if they could be.
func skipWarnings(reason Reason) []string {
	switch reason {
	case hostNetwork:
		return []string{"the pod uses the host's network, so it gets no sidecar and is not part of the mesh: annotate it " + injectionAnnotation + "=disabled if that is meant"}
	case windows:
		return []string{"the pod is for Windows, for which there is no sidecar, so it is not part of the mesh: annotate it " + injectionAnnotation + "=disabled if that is meant"}
	}
	return nil
}

// warnings are for pods that are injected.
func (c *Config) warnings(pod *corev1.Pod, namespace *corev1.Namespace) []string {
	var warnings []string
	standard := namespace.Labels[podSecurityLabel]
	if c.settings.Interception == NFTables && (standard == "baseline" || standard == "restricted") {
		warnings = append(warnings, fmt.Sprintf(
			"namespace %s enforces Pod Security %s, but %s needs capability NET_ADMIN and user 0: set osm.injector.interception=none or label it %s=privileged",
			namespace.Name, standard, mesh.InitContainer, podSecurityLabel))
	}
	if c.settings.Placement == Container && ends(pod) {
		warnings = append(warnings, fmt.Sprintf(
			"the pod is to end, but its sidecar keeps running: have the application end with POST http://127.0.0.1:%d/quit, or set osm.injector.sidecarPlacement=native", adminPort))
	}
	if secrets := c.settings.ImagePullSecrets; len(secrets) > 0 && !pullsWith(pod, secrets) {
		warnings = append(warnings, fmt.Sprintf(
			"the sidecar's image is pulled with Secret %.64s, which the pod does not name: add it to imagePullSecrets of the pod or its service account, and copy the Secret to namespace %s",
			secrets[0], namespace.Name))
	}
	return warnings
}

// versionWarnings are for a pod that comes with its sidecar, as one from a backup
// does: osm-controller publishes the scripts of its own version only.
func (c *Config) versionWarnings(pod *corev1.Pod) []string {
	has, current := scriptsOf(pod.Spec.Volumes), scriptsOf([]corev1.Volume{c.volume})
	if has == current {
		return nil
	}
	return []string{fmt.Sprintf("the pod comes with the sidecar of another version of the mesh, and waits for ConfigMap %s where that is not: create it without what injection adds", clip(has))}
}

// pullsWith reports whether a pod names one of the Secrets. The API server has
// added those of its service account before it calls webhooks.
func pullsWith(pod *corev1.Pod, secrets []string) bool {
	return slices.ContainsFunc(pod.Spec.ImagePullSecrets, func(of corev1.LocalObjectReference) bool { return slices.Contains(secrets, of.Name) })
}

// ends tells whether pod is done once its containers are, as those of Jobs.
func ends(pod *corev1.Pod) bool {
	return pod.Spec.RestartPolicy != "" && pod.Spec.RestartPolicy != corev1.RestartPolicyAlways
}

// shown are those warnings that reach who creates the pod.
func shown(warnings []string) []string {
	total := 0
	for i, warning := range warnings {
		if total += len(warning); total > maxWarningBytes {
			return warnings[:i]
		}
	}
	return warnings
}

type metrics struct {
	admissions *prometheus.CounterVec
	duration   prometheus.Histogram
}

func newMetrics(registerer prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		admissions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "osm_injector_admissions_total",
			Help: "Pods asked about, by decision (injected, skipped, refused or failed) and its reason.",
		}, []string{"decision", "reason"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "osm_injector_admission_duration_seconds",
			Help:    "Time from a decoded AdmissionReview to its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1},
		}),
	}
	// A counter that is there from the start lets a rate see its first step.
	for decision, of := range reasons() {
		for _, reason := range of {
			m.admissions.WithLabelValues(string(decision), string(reason))
		}
	}
	if err := errors.Join(registerer.Register(m.admissions), registerer.Register(m.duration)); err != nil {
		return nil, fmt.Errorf("registering the injector's metrics: %w", err)
	}
	return m, nil
}

func (m *metrics) observe(r Result, took time.Duration) {
	m.admissions.WithLabelValues(string(r.Decision), string(r.Reason)).Inc()
	m.duration.Observe(took.Seconds())
}
