package injector_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/osm-edge/osm/injector"
)

func TestAPodGetsItsSidecarOverTLSOnceAndNotTwice(t *testing.T) {
	ask := asked(t, newHandler(t))
	review := realReview(t)
	response := ask(encode(t, review))
	if !response.Allowed || response.UID != review.Request.UID || response.PatchType == nil ||
		*response.PatchType != admissionv1.PatchTypeJSONPatch {
		t.Fatalf("answered %+v", response)
	}
	patch, err := jsonpatch.DecodePatch(response.Patch)
	if err != nil {
		t.Fatal(err)
	}
	review.Request.Object.Raw, err = patch.Apply(review.Request.Object.Raw)
	if err != nil {
		t.Fatal(err)
	}
	var pod corev1.Pod
	if err := json.Unmarshal(review.Request.Object.Raw, &pod); err != nil {
		t.Fatal(err)
	}
	bootstrap, err := injector.ParseBootstrap([]byte(pod.Annotations[injector.BootstrapAnnotation]))
	if err != nil {
		t.Fatal(err)
	}
	if want := "spiffe://cluster.local/ns/bookstore/sa/bookstore-v2"; bootstrap.Identity != want || bootstrap.Proxy != proxy {
		t.Errorf("the sidecar is %s of %s", bootstrap.Proxy, bootstrap.Identity)
	}
	if len(pod.Spec.Containers) != 3 || len(pod.Spec.InitContainers) < 2 {
		t.Fatalf("%d containers and %d init containers", len(pod.Spec.Containers), len(pod.Spec.InitContainers))
	}
	if first := pod.Spec.InitContainers[0]; first.Name != "osm-init" || first.Image != "example.test/osm-init:v1" {
		t.Errorf("the first init container is %s of %s", first.Name, first.Image)
	}
	if second := pod.Spec.InitContainers[1]; second.Name != "sidecar" || second.Image != "example.test/sidecar:v1" {
		t.Errorf("the second init container is %s of %s", second.Name, second.Image)
	}
	if pod.Labels[injector.ProxyLabel] != proxy {
		t.Errorf("labelled as proxy %q", pod.Labels[injector.ProxyLabel])
	}

	again := ask(encode(t, review))
	if !again.Allowed || again.Patch != nil || again.PatchType != nil {
		t.Errorf("the second time answered %+v", again)
	}
}

func TestAnswersToWhatIsNotInjected(t *testing.T) {
	annotate := func(value string) func(*testing.T, *admissionv1.AdmissionReview) {
		return func(t *testing.T, review *admissionv1.AdmissionReview) {
			withPod(t, review, func(pod *corev1.Pod) {
				pod.Annotations["openservicemesh.io/sidecar-injection"] = value
			})
		}
	}
	tests := map[string]struct {
		edit    func(*testing.T, *admissionv1.AdmissionReview)
		allowed bool
		code    int32
		want    string
	}{
		"a pod that declines": {annotate("disabled"), true, http.StatusOK, ""},
		"a pod that says neither": {annotate("maybe"), false, http.StatusForbidden,
			`pod bookstore/bookstore-v2-6c9d8b7f5c-*: annotation openservicemesh.io/sidecar-injection is "maybe"`},
		"a pod with a container named osm-init": {
			func(t *testing.T, review *admissionv1.AdmissionReview) {
				withPod(t, review, func(pod *corev1.Pod) { pod.Spec.Containers[0].Name = "osm-init" })
			}, false, http.StatusForbidden, "pod bookstore/bookstore-v2-6c9d8b7f5c-*: container osm-init: the mesh adds one of this name: rename it"},
		"a service account whose certificate could not be named": {
			func(t *testing.T, review *admissionv1.AdmissionReview) {
				withPod(t, review, func(pod *corev1.Pod) { pod.Spec.ServiceAccountName = strings.Repeat("a", 240) })
			}, false, http.StatusForbidden, "longer than the 253 characters of a DNS name"},
		"an update": {
			func(_ *testing.T, review *admissionv1.AdmissionReview) { review.Request.Operation = admissionv1.Update },
			true, http.StatusOK, ""},
		"another kind": {
			func(_ *testing.T, review *admissionv1.AdmissionReview) { review.Request.Kind.Kind = "Deployment" },
			false, http.StatusBadRequest, "Kind=Deployment"},
		"a subresource": {
			func(_ *testing.T, review *admissionv1.AdmissionReview) {
				review.Request.SubResource = "ephemeralcontainers"
			},
			false, http.StatusBadRequest, `"ephemeralcontainers": this webhook takes v1 pods`},
		"no object": {
			func(_ *testing.T, review *admissionv1.AdmissionReview) { review.Request.Object.Raw = nil },
			false, http.StatusBadRequest, "decoding the pod"},
		"an object that is no pod": {
			func(_ *testing.T, review *admissionv1.AdmissionReview) {
				review.Request.Object.Raw = []byte(`{"spec":{"containers":1}}`)
			},
			false, http.StatusBadRequest, "decoding the pod"},
		"a pod without containers": {
			func(t *testing.T, review *admissionv1.AdmissionReview) {
				withPod(t, review, func(pod *corev1.Pod) { pod.Spec.Containers = nil })
			}, true, http.StatusOK, ""},
		"a namespace that is not known yet": {
			func(_ *testing.T, review *admissionv1.AdmissionReview) { review.Request.Namespace = "new" },
			false, http.StatusInternalServerError, `looking up the pod's namespace: namespaces "new" not found: try again`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			review := realReview(t)
			test.edit(t, review)
			response := asked(t, newHandler(t))(encode(t, review))
			if response.UID != review.Request.UID || response.Allowed != test.allowed || response.Patch != nil {
				t.Errorf("answered %+v", response)
			}
			if response.Result.Code != test.code || !strings.Contains(response.Result.Message, test.want) {
				t.Errorf("answered %d %q, want %d %q", response.Result.Code, response.Result.Message, test.code, test.want)
			}
		})
	}
}

func TestTheNextPodFollowsTheConfigOfItsTime(t *testing.T) {
	var config atomic.Pointer[injector.Config]
	ask := asked(t, newHandler(t, func(o *injector.Options) { o.Config = config.Load }))
	for _, image := range []string{"example.test/sidecar:v1", "example.test/sidecar:v2"} {
		config.Store(newConfig(t, func(s *injector.Settings) { s.SidecarImage = image }))
		if response := ask(encode(t, realReview(t))); !bytes.Contains(response.Patch, []byte(image)) {
			t.Errorf("the patch lacks the image %s: %s", image, response.Patch)
		}
	}
}

func TestEveryProxyGetsAnIdOfItsOwnByDefault(t *testing.T) {
	ask := asked(t, newHandler(t, func(o *injector.Options) { o.NewProxyID = nil }))
	first, second := ask(encode(t, realReview(t))), ask(encode(t, realReview(t)))
	if !first.Allowed || !second.Allowed || bytes.Equal(first.Patch, second.Patch) {
		t.Error("the same sidecar twice")
	}
}

func TestAdmissionsAreCountedByDecisionAndReason(t *testing.T) {
	registry := prometheus.NewRegistry()
	ask := asked(t, newHandler(t, func(o *injector.Options) { o.Registerer = registry }))
	for _, value := range []string{"yes", "no", "no", "maybe", "maybe", "maybe"} {
		review := realReview(t)
		withPod(t, review, func(pod *corev1.Pod) { pod.Annotations["openservicemesh.io/sidecar-injection"] = value })
		ask(encode(t, review))
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if labels := metric.GetLabel(); family.GetName() == "osm_injector_admissions_total" {
				counted[labels[0].GetValue()+" "+labels[1].GetValue()] = metric.GetCounter().GetValue()
			} else if family.GetName() == "osm_injector_admission_duration_seconds" {
				histogram := metric.GetHistogram()
				if histogram.GetSampleCount() != 6 || histogram.GetBucket()[0].GetUpperBound() != 0.0005 {
					t.Errorf("durations: %v", histogram)
				}
			}
		}
	}
	for series, want := range map[string]float64{
		"injected pod-asks": 1, "skipped pod-declines": 2, "refused annotation": 3, "failed internal": 0, "injected namespace-monitored": 0,
	} {
		if got, there := counted[series]; got != want || !there {
			t.Errorf("%s: %v, want %v", series, got, want)
		}
	}
}

// refusals remembers what it is told.
type refusals []string

func (r *refusals) Refused(pod *corev1.Pod, namespace string, reason injector.Reason) {
	*r = append(*r, namespace+" "+metav1.GetControllerOf(pod).Name+": "+reason.Explanation())
}

func TestRefusalsAreToldButNotThoseOfADryRun(t *testing.T) {
	var told refusals
	ask := asked(t, newHandler(t, func(o *injector.Options) { o.Refusals = &told }))
	for _, value := range []string{"yes", "no", "maybe"} {
		for _, dryRun := range []*bool{nil, new(false), new(true)} {
			review := realReview(t)
			review.Request.DryRun = dryRun
			withPod(t, review, func(pod *corev1.Pod) { pod.Annotations["openservicemesh.io/sidecar-injection"] = value })
			if response := ask(encode(t, review)); response.Allowed != (value != "maybe") {
				t.Errorf("answered %+v", response)
			}
		}
	}
	if len(told) != 2 || !strings.HasPrefix(told[0], "bookstore bookstore-v2-6c9d8b7f5c: A pod was refused: an annotation") || strings.Contains(told[0], "maybe") {
		t.Errorf("told %q", told)
	}
}

func TestWarningsReachWhoCreatesThePod(t *testing.T) {
	review := realReview(t)
	withPod(t, review, func(pod *corev1.Pod) { pod.Spec.HostNetwork = true })
	response := asked(t, newHandler(t))(encode(t, review))
	if !response.Allowed || response.Patch != nil || len(response.Warnings) != 1 || !strings.Contains(response.Warnings[0], "host's network") {
		t.Errorf("answered %+v", response)
	}
}

func TestALogLineNamesThePodAndHoldsNothingElseOfIt(t *testing.T) {
	var log bytes.Buffer
	handler := newHandler(t, func(o *injector.Options) { o.Logger = slog.New(slog.NewJSONHandler(&log, nil)) })
	handler.Handle(t.Context(), admission.Request{AdmissionRequest: *realReview(t).Request})
	var line map[string]any
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	for field, want := range map[string]any{
		"pod": "bookstore/bookstore-v2-6c9d8b7f5c-*", "decision": "injected", "proxy": proxy,
		"reason": "namespace-monitored", "request": "2f8f1f7e-52a5-4f3c-8d3b-7b1f6a3d1c01",
	} {
		if line[field] != want {
			t.Errorf("%s is %v, not %v", field, line[field], want)
		}
	}
	if log.Len() > 500 {
		t.Errorf("a line of %d bytes: %s", log.Len(), &log)
	}
}

func TestAHandlerNeedsWhatItCanNotDoWithout(t *testing.T) {
	registry := prometheus.NewRegistry()
	whole := injector.Options{Config: func() *injector.Config { return nil }, Namespaces: namespaces{}, Registerer: registry}
	for name, edit := range map[string]func(*injector.Options){
		"a configuration":  func(o *injector.Options) { o.Config = nil },
		"the namespaces":   func(o *injector.Options) { o.Namespaces = nil },
		"a metrics' place": func(o *injector.Options) { o.Registerer = nil },
	} {
		options := whole
		edit(&options)
		if _, err := injector.NewHandler(options); err == nil {
			t.Errorf("made without %s", name)
		}
	}
	if _, err := injector.NewHandler(whole); err != nil {
		t.Fatal(err)
	}
	var twice prometheus.AlreadyRegisteredError
	if _, err := injector.NewHandler(whole); !errors.As(err, &twice) {
		t.Errorf("registered its metrics twice: %v", err)
	}
}

func TestAReviewOfANewerAPIServerIsAnswered(t *testing.T) {
	review := bytes.Replace(encode(t, realReview(t)), []byte(`"request":{`), []byte(`"fieldOfTomorrow":1,"request":{"fieldOfTomorrow":{},`), 1)
	if response := asked(t, newHandler(t))(review); !response.Allowed || response.Patch == nil {
		t.Errorf("answered %+v", response)
	}
}
