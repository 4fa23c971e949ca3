package webhook_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/osm-edge/osm/webhook"
)

// serve runs a server on loopback until the test ends and returns its base URL.
func serve(t *testing.T, certificates webhook.CertificateSource, handlers map[string]http.Handler) string {
	t.Helper()
	base, stop := start(t, certificates, handlers)
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return base
}

// start runs a server on loopback; stop ends it and returns what Serve did.
func start(t *testing.T, certificates webhook.CertificateSource, handlers map[string]http.Handler) (base string, stop func() error) {
	t.Helper()
	server, err := webhook.NewServer(webhook.ServerOptions{
		Certificates: certificates,
		Handlers:     handlers,
		DrainTimeout: 5 * time.Second,
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
	return "https://" + listener.Addr().String(), func() error {
		cancel()
		return <-done
	}
}

// newClient trusts ca and calls the server by its service name over HTTP/1.1,
// as an API server does, but on a new connection each time.
func newClient(ca *testCA, edits ...func(*tls.Config)) *http.Client {
	config := &tls.Config{RootCAs: ca.pool(), ServerName: serverName}
	for _, edit := range edits {
		edit(config)
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true, ExpectContinueTimeout: time.Minute}}
}

func post(t *testing.T, client *http.Client, url, contentType string, body io.Reader) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", contentType)
	// A refusal comes before the body is sent (RFC 9110, section 10.1.1), so
	// that it isn't lost with a connection that is closed on the sender.
	request.Header.Set("Expect", "100-continue")
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

func sourceOf(t *testing.T, p pair) *webhook.SecretSource {
	t.Helper()
	source := newSource()
	if err := source.Set(servingSecret(p)); err != nil {
		t.Fatal(err)
	}
	return source
}

var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(w, r.Body); err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
	}
})

func TestARenewedCertificateIsServedToTheNextConnection(t *testing.T) {
	ca := newTestCA(t)
	first, second := ca.issue(t), ca.issue(t)
	source := sourceOf(t, first)
	base := serve(t, source, map[string]http.Handler{"/echo": echo})
	for _, want := range []pair{first, second} {
		if err := source.Set(servingSecret(want)); err != nil {
			t.Fatal(err)
		}
		var served []byte
		client := newClient(ca, func(c *tls.Config) {
			c.VerifyConnection = func(state tls.ConnectionState) error {
				served = pemOf(state.PeerCertificates[0])
				return nil
			}
		})
		if status, _ := post(t, client, base+"/echo", "application/json", strings.NewReader("{}")); status != http.StatusOK {
			t.Errorf("status %d", status)
		}
		if !bytes.Equal(served, want.certificate) {
			t.Error("another certificate is served")
		}
	}
}

func TestAServerWithoutAValidCertificateEndsTheHandshake(t *testing.T) {
	base := serve(t, newSource(), map[string]http.Handler{"/echo": echo})
	_, err := tls.Dial("tcp", strings.TrimPrefix(base, "https://"), &tls.Config{RootCAs: x509.NewCertPool(), ServerName: serverName})
	if err == nil || !strings.Contains(err.Error(), "remote error") {
		t.Errorf("the handshake ended with %v", err)
	}
}

func TestTLSVersionsOlderThan12AreRefusedAnd13IsPreferred(t *testing.T) {
	ca := newTestCA(t)
	base := serve(t, sourceOf(t, ca.issue(t)), map[string]http.Handler{"/echo": echo})
	address := strings.TrimPrefix(base, "https://")
	for offered, want := range map[uint16]uint16{
		tls.VersionTLS11: 0,
		tls.VersionTLS12: tls.VersionTLS12,
		tls.VersionTLS13: tls.VersionTLS13,
	} {
		config := &tls.Config{RootCAs: ca.pool(), ServerName: serverName, MinVersion: tls.VersionTLS10, MaxVersion: offered}
		connection, err := tls.Dial("tcp", address, config)
		if (err == nil) != (want != 0) {
			t.Errorf("up to %s: error %v", tls.VersionName(offered), err)
		}
		if err != nil {
			continue
		}
		if got := connection.ConnectionState().Version; got != want {
			t.Errorf("up to %s: spoke %s", tls.VersionName(offered), tls.VersionName(got))
		}
		if err := connection.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestOnlyBoundedJSONPostsReachAHandler(t *testing.T) {
	const limit = 7 << 20
	ca := newTestCA(t)
	base := serve(t, sourceOf(t, ca.issue(t)), map[string]http.Handler{"/echo": echo})
	client := newClient(ca)
	// A reader of unknown length is sent in chunks, without Content-Length.
	chunked := func(r io.Reader) io.Reader { return struct{ io.Reader }{r} }
	tests := map[string]struct {
		path, contentType string
		body              io.Reader
		status            int
		want              string
	}{
		"JSON":                  {"/echo", "application/json", strings.NewReader("{}"), http.StatusOK, "{}"},
		"JSON with a charset":   {"/echo", "application/json; charset=utf-8", strings.NewReader("{}"), http.StatusOK, "{}"},
		"another path":          {"/other", "application/json", strings.NewReader("{}"), http.StatusNotFound, "not found"},
		"another content type":  {"/echo", "text/yaml", strings.NewReader("{}"), http.StatusUnsupportedMediaType, `content type "text/yaml": webhooks take application/json`},
		"no content type":       {"/echo", "", strings.NewReader("{}"), http.StatusUnsupportedMediaType, `content type ""`},
		"a body over the limit": {"/echo", "application/json", bytes.NewReader(make([]byte, limit+1)), http.StatusRequestEntityTooLarge, "at most 7340032"},
		"a chunked body over the limit": {"/echo", "application/json", chunked(bytes.NewReader(make([]byte, limit+1))),
			http.StatusOK, "request body too large"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			status, body := post(t, client, base+test.path, test.contentType, test.body)
			if status != test.status || !strings.Contains(body, test.want) {
				t.Errorf("status %d and body %.200q, want %d and %q", status, body, test.status, test.want)
			}
		})
	}
	t.Run("GET", func(t *testing.T) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/echo", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusMethodNotAllowed || response.Header.Get("Allow") != http.MethodPost {
			t.Errorf("status %d, Allow %q", response.StatusCode, response.Header.Get("Allow"))
		}
	})
}

func TestAStoppedServerLetsRequestsInFlightEnd(t *testing.T) {
	ca := newTestCA(t)
	entered, release := make(chan struct{}), make(chan struct{})
	slow := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		w.WriteHeader(http.StatusAccepted)
	})
	base, stop := start(t, sourceOf(t, ca.issue(t)), map[string]http.Handler{"/slow": slow})
	answered := make(chan error, 1)
	go func() { answered <- postOnce(newClient(ca), base+"/slow", http.StatusAccepted) }()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	untilRefused(t, strings.TrimPrefix(base, "https://"))
	close(release)
	if err := <-answered; err != nil {
		t.Error(err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("the server ended with %v", err)
	}
}

func postOnce(client *http.Client, url string, want int) error {
	response, err := client.Post(url, "application/json", strings.NewReader("{}"))
	if err != nil {
		return err
	}
	if response.StatusCode != want {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	return response.Body.Close()
}

// untilRefused returns when nothing listens on address any more.
func untilRefused(t *testing.T, address string) {
	t.Helper()
	for {
		connection, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		if err := connection.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRunTellsTheAddressItCanNotListenOn(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	server, err := webhook.NewServer(webhook.ServerOptions{
		Address:      taken.Addr().String(),
		Certificates: newSource(),
		Handlers:     map[string]http.Handler{"/echo": echo},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Run(t.Context()); err == nil || !strings.Contains(err.Error(), taken.Addr().String()) {
		t.Errorf("Run ended with %v", err)
	}
}

func TestAServerNeedsACertificateSourceAndHandlers(t *testing.T) {
	for _, options := range []webhook.ServerOptions{
		{Handlers: map[string]http.Handler{"/echo": echo}},
		{Certificates: newSource()},
	} {
		if _, err := webhook.NewServer(options); err == nil {
			t.Errorf("taken: %+v", options)
		}
	}
}

func TestAdmissionAnswersReviewsAndSurvivesAPanic(t *testing.T) {
	handlers := map[string]admission.HandlerFunc{
		"an answer":     func(context.Context, admission.Request) admission.Response { return admission.Denied("not today") },
		"not an answer": func(context.Context, admission.Request) admission.Response { panic(errors.New("not today")) },
	}
	for name, handler := range handlers {
		t.Run(name, func(t *testing.T) {
			hook, err := webhook.Admission(handler, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			ca := newTestCA(t)
			base := serve(t, sourceOf(t, ca.issue(t)), map[string]http.Handler{"/admit": hook})
			_, body := post(t, newClient(ca), base+"/admit", "application/json",
				strings.NewReader(`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u-1"}}`))
			var review admissionv1.AdmissionReview
			if err := json.Unmarshal([]byte(body), &review); err != nil {
				t.Fatal(err)
			}
			if r := review.Response; r == nil || r.UID != "u-1" || r.Allowed || !strings.Contains(r.Result.Message, "not today") {
				t.Errorf("answered %s", body)
			}
		})
	}
}
