package injector_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/webhook"
)

const proxy = "6f1f3bb6-6a1c-4d9b-8f43-3a6d5b0f9f5e"

// namespaces is an informer's cache of one namespace.
type namespaces struct{ only *corev1.Namespace }

func (n namespaces) Get(name string) (*corev1.Namespace, error) {
	if name != n.only.Name {
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, name)
	}
	return n.only, nil
}

func newConfig(t testing.TB, edits ...func(*injector.Settings)) *injector.Config {
	t.Helper()
	settings := injector.Settings{
		MeshName: "osm", Namespace: "osm-system", TrustDomain: "cluster.local",
		SidecarImage: "example.test/sidecar:v1", InitImage: "example.test/osm-init:v1",
	}
	for _, edit := range edits {
		edit(&settings)
	}
	config, err := injector.NewConfig(settings)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func newHandler(t testing.TB, edits ...func(*injector.Options)) *injector.Handler {
	t.Helper()
	config := newConfig(t)
	options := injector.Options{
		Config: func() *injector.Config { return config },
		Namespaces: namespaces{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: "bookstore", Labels: map[string]string{"openservicemesh.io/monitored-by": "osm"},
		}}},
		Registerer: prometheus.NewRegistry(),
		NewProxyID: func() string { return proxy },
	}
	for _, edit := range edits {
		edit(&options)
	}
	handler, err := injector.NewHandler(options)
	if err != nil {
		t.Fatal(err)
	}
	return handler
}

// fixedCertificate is a webhook.CertificateSource.
type fixedCertificate struct{ certificate *tls.Certificate }

func (f fixedCertificate) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return f.certificate, nil
}

// asked is a function that asks handler over TLS, as an API server does.
func asked(t *testing.T, handler *injector.Handler) func(review []byte) *admissionv1.AdmissionResponse {
	t.Helper()
	// A test server of the standard library, for its certificate and the
	// client that trusts it.
	pki := httptest.NewTLSServer(nil)
	t.Cleanup(pki.Close)
	hook, err := webhook.Admission(handler, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	server, err := webhook.NewServer(webhook.ServerOptions{
		Certificates: fixedCertificate{&pki.TLS.Certificates[0]},
		Handlers:     map[string]http.Handler{"/mutate-pod-creation": hook},
	})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, listener) }()
	t.Cleanup(func() {
		pki.Client().CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	url := "https://" + listener.Addr().String() + "/mutate-pod-creation?timeout=10s"
	return func(review []byte) *admissionv1.AdmissionResponse {
		t.Helper()
		response, err := pki.Client().Post(url, "application/json", bytes.NewReader(review))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		var answered admissionv1.AdmissionReview
		if err := json.Unmarshal(body, &answered); err != nil || answered.Response == nil {
			t.Fatalf("answered %d %s", response.StatusCode, body)
		}
		return answered.Response
	}
}

// realReview is an AdmissionReview as an API server sends it.
func realReview(t testing.TB) *admissionv1.AdmissionReview {
	t.Helper()
	data, err := os.ReadFile("testdata/admissionreview.json")
	if err != nil {
		t.Fatal(err)
	}
	review := &admissionv1.AdmissionReview{}
	if err := json.Unmarshal(data, review); err != nil {
		t.Fatal(err)
	}
	return review
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// withPod edits the pod of a review.
func withPod(t testing.TB, review *admissionv1.AdmissionReview, edit func(*corev1.Pod)) {
	t.Helper()
	var pod corev1.Pod
	if err := json.Unmarshal(review.Request.Object.Raw, &pod); err != nil {
		t.Fatal(err)
	}
	edit(&pod)
	review.Request.Object.Raw = encode(t, pod)
}
