package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/webhook"
)

// shop is the only namespace that there is.
type shop struct{}

func (shop) Get(name string) (*corev1.Namespace, error) {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"openservicemesh.io/monitored-by": "osm"}}}, nil
}

// fixedCertificate is a webhook.CertificateSource.
type fixedCertificate struct{ certificate *tls.Certificate }

func (f fixedCertificate) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return f.certificate, nil
}

// review asks about a pod of three containers with probes.
func review(b *testing.B) []byte {
	b.Helper()
	pod := corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			GenerateName: "web-5d9-", Namespace: "shop",
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-5d9", UID: "1234", Controller: new(true)}},
		},
		Spec: corev1.PodSpec{ServiceAccountName: "web"},
	}
	for n := range int32(3) {
		probe := &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromString("http"), Scheme: "HTTP"}}, TimeoutSeconds: 1}
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{
			Name: fmt.Sprintf("web-%d", n), Image: "example.test/web:1",
			Ports:         []corev1.ContainerPort{{Name: "http", ContainerPort: 8080 + n}},
			Env:           []corev1.EnvVar{{Name: "LEVEL", Value: "info"}},
			LivenessProbe: probe, ReadinessProbe: probe, StartupProbe: probe,
		})
	}
	raw, err := json.Marshal(pod)
	if err != nil {
		b.Fatal(err)
	}
	body, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: "2f8f1f7e-52a5-4f3c-8d3b-7b1f6a3d1c01", Namespace: "shop", Operation: admissionv1.Create,
			Kind:     metav1.GroupVersionKind{Version: "v1", Kind: "Pod"},
			Resource: metav1.GroupVersionResource{Version: "v1", Resource: "pods"},
			Object:   runtime.RawExtension{Raw: raw},
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	return body
}

// serve starts the webhook with a certificate of the standard library's test
// server, and returns where it is and a client that trusts it.
func serve(b *testing.B) (url string, client *http.Client) {
	b.Helper()
	pki := httptest.NewTLSServer(nil)
	b.Cleanup(pki.Close)
	c := mustConfigure(b, nil, netip.Addr{}, "--sidecar-placement=native")
	server, err := newServer(webhook.ServerOptions{Certificates: fixedCertificate{&pki.TLS.Certificates[0]}}, injector.Options{
		Config: c.current.Load, Namespaces: shop{}, Registerer: prometheus.NewRegistry(),
		Logger: slog.New(slog.NewJSONHandler(io.Discard, nil)),
	})
	if err != nil {
		b.Fatal(err)
	}
	listener, err := new(net.ListenConfig).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.Context()))
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, listener) }()
	transport := pki.Client().Transport.(*http.Transport).Clone()
	// Those who wait for a connection don't open one each when the machine is slow.
	transport.MaxIdleConnsPerHost, transport.MaxConnsPerHost = 32, 32
	b.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			b.Errorf("the server ended with %v", err)
		}
	})
	return "https://" + listener.Addr().String() + mutatePath + "?timeout=5s", &http.Client{Transport: transport}
}

// BenchmarkAdmissionTLS is what an API server waits for when 500 pods a second
// are created: from the moment that a pod is sent until its answer is read.
// No request waits for the answers of others, so a server that falls behind shows.
func BenchmarkAdmissionTLS(b *testing.B) {
	const rate, seconds = 500, 5
	collectLate() // as run does
	body := review(b)
	url, client := serve(b)
	ask(b, client, url, body, rate, 0) // opens the connections, which an API server keeps
	var took []time.Duration
	for b.Loop() {
		took = append(took, ask(b, client, url, body, rate*seconds, time.Second/rate)...)
	}
	slices.Sort(took)
	for name, share := range map[string]float64{"p50-ms": .5, "p99-ms": .99} {
		at := took[int(share*float64(len(took)-1))]
		b.ReportMetric(float64(at.Microseconds())/1000, name)
	}
	b.ReportMetric(0, "ns/op") // the time of all of them, which the rate determines
}

// ask sends n reviews, one each interval whether or not others are answered.
func ask(b *testing.B, client *http.Client, url string, body []byte, n int, interval time.Duration) []time.Duration {
	took := make([]time.Duration, n)
	start := time.Now()
	var answered sync.WaitGroup
	for i := range n {
		due := start.Add(time.Duration(i) * interval)
		<-time.After(time.Until(due))
		sent := time.Now() // later than due by what the timer is late, up to a millisecond
		answered.Go(func() {
			if err := askOnce(client, url, body); err != nil {
				b.Error(err)
			}
			took[i] = time.Since(sent)
		})
	}
	answered.Wait()
	return took
}

func askOnce(client *http.Client, url string, body []byte) error {
	response, err := client.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && !bytes.Contains(answer, []byte(`"patchType":"JSONPatch"`)) {
		err = fmt.Errorf("answered %d %s", response.StatusCode, answer)
	}
	return err
}
