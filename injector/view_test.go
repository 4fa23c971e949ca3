package injector_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/webhook"
)

var bookstore = &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
	Name: "bookstore", Labels: map[string]string{"openservicemesh.io/monitored-by": "osm"},
}}

func TestAPodAsLargeAsEtcdTakesGetsItsSidecar(t *testing.T) {
	hook, err := webhook.Admission(newHandler(t), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	review := realReview(t)
	withPod(t, review, func(pod *corev1.Pod) {
		for c := range 40 {
			container := corev1.Container{Name: fmt.Sprint("c", c), Image: "example.test/web:1"}
			for e := range 300 {
				container.Env = append(container.Env, corev1.EnvVar{Name: fmt.Sprint("VARIABLE_", e), Value: strings.Repeat("v", 100)})
			}
			pod.Spec.Containers = append(pod.Spec.Containers, container)
		}
	})
	body := encode(t, review)
	if len(body) < 3<<19 {
		t.Fatalf("the review has %d bytes only", len(body))
	}
	request := httptest.NewRequest(http.MethodPost, "/mutate-pod-creation", strings.NewReader(string(body)))
	recorder := httptest.NewRecorder()
	hook.ServeHTTP(recorder, request)
	if recorder.Code != http.StatusOK || !strings.Contains(recorder.Body.String(), `"patchType":"JSONPatch"`) {
		t.Errorf("answered %d %.300s", recorder.Code, recorder.Body)
	}
}

func TestWhatThePodHasForOthersIsNotDecoded(t *testing.T) {
	for name, field := range map[string]string{
		// To parse it is to multiply by ten, a thousand million times.
		"a quantity": `"resources":{"limits":{"cpu":"1e-1000000000"}}`,
		"elements":   `"env":[` + strings.TrimSuffix(strings.Repeat("{},", 50_000), ",") + `]`,
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			result := newConfig(t).Inject([]byte(`{"metadata":{"name":"a"},"spec":{"containers":[{"name":"a",`+field+`}]}}`), bookstore, proxy)
			if took := time.Since(start); result.Decision != injector.Injected || took > 5*time.Second {
				t.Errorf("%s after %s: %v", result.Decision, took, result.Err)
			}
		})
	}
}

func TestAPodThatCouldNotRunIsNotRepeated(t *testing.T) {
	probe := `"livenessProbe":{"httpGet":{"path":"/` + strings.Repeat("a", 70_000) + `","port":80}}`
	headers := `"livenessProbe":{"httpGet":{"path":"/","port":80,"httpHeaders":[{"name":"` + strings.Repeat("a", 70_000) + `","value":"b"}]}}`
	for name, test := range map[string]struct{ containers, want string }{
		"too many containers": {strings.TrimSuffix(strings.Repeat(`{},`, 1001), ","), "spec.containers: 1001 entries: at most 1000 are taken"},
		"a long name":         {`{"name":"` + strings.Repeat("a", 300) + `"}`, "the name of a container has 300 bytes"},
		"a long probe":        {`{"name":"a",` + probe + `}`, "what its probes and hooks ask has 70"},
		"a probe's header":    {`{"name":"a",` + headers + `}`, "what its probes and hooks ask has 70"},
	} {
		t.Run(name, func(t *testing.T) {
			result := newConfig(t).Inject([]byte(`{"metadata":{"name":"a"},"spec":{"containers":[`+test.containers+`]}}`), bookstore, proxy)
			if result.Decision != injector.Failed || !strings.Contains(result.Err.Error(), test.want) {
				t.Errorf("%s: %v, want %s", result.Decision, result.Err, test.want)
			}
		})
	}
}

func TestOfANamespaceOutsideOfTheMeshNothingIsReadAndNothingIsSaid(t *testing.T) {
	outside := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "bookstore"}}
	ask := asked(t, newHandler(t, func(o *injector.Options) { o.Namespaces = namespaces{outside} }))
	review := realReview(t)
	for _, pod := range []string{string(review.Request.Object.Raw), `{"spec":{"hostNetwork":true}}`, `{"spec":{"containers":1}}`} {
		review.Request.Object.Raw = []byte(pod)
		response := ask(encode(t, review))
		if !response.Allowed || response.Patch != nil || len(response.Warnings) > 0 || response.Result.Message != "" {
			t.Errorf("answered %+v", response)
		}
	}
}

func TestWhatAStrangerWritesIsNeitherRepeatedNorLoggedAtLength(t *testing.T) {
	var log strings.Builder
	ask := asked(t, newHandler(t, func(o *injector.Options) { o.Logger = slog.New(slog.NewJSONHandler(&log, nil)) }))
	long := strings.Repeat("<x>", 100_000)
	for name, edit := range map[string]func(*admissionv1.AdmissionReview){
		"a pod's name": func(r *admissionv1.AdmissionReview) {
			withPod(t, r, func(pod *corev1.Pod) { pod.Name = long; pod.Spec.Containers[0].Name = "osm-init" })
		},
		"an annotation": func(r *admissionv1.AdmissionReview) {
			withPod(t, r, func(pod *corev1.Pod) { pod.Annotations["openservicemesh.io/sidecar-injection"] = long })
		},
		"a service account": func(r *admissionv1.AdmissionReview) {
			withPod(t, r, func(pod *corev1.Pod) { pod.Spec.ServiceAccountName = long })
		},
		"a namespace": func(r *admissionv1.AdmissionReview) { r.Request.Namespace = long },
		"a kind":      func(r *admissionv1.AdmissionReview) { r.Request.Kind.Kind = long },
	} {
		t.Run(name, func(t *testing.T) {
			log.Reset()
			review := realReview(t)
			edit(review)
			response := ask(encode(t, review))
			if response.Allowed || len(response.Result.Message) > 10_000 || log.Len() > 10_000 {
				t.Errorf("allowed: %t, a message of %d bytes, a log of %d", response.Allowed, len(response.Result.Message), log.Len())
			}
		})
	}
}
