package component

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// ask asks a server whose daemon is unready for that reason, or ready.
func ask(t *testing.T, method, path string, unready error) *httptest.ResponseRecorder {
	t.Helper()
	s := &OpsServer{Options: &Options{}, Component: "osm-test", Registry: NewRegistry(), Ready: func() error { return unready }}
	answer := httptest.NewRecorder()
	s.Handler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), method, path, nil))
	return answer
}

func TestAnswersOfTheOpsServer(t *testing.T) {
	reason := errors.New("the namespaces are not cached yet")
	tests := map[string]struct {
		method, path string
		unready      error
		code         int
		body         string
	}{
		"ready":                       {"GET", "/readyz", nil, 200, "ok\n"},
		"not ready, and why":          {"GET", "/readyz", reason, 503, "the namespaces are not cached yet\n"},
		"alive":                       {"GET", "/healthz", nil, 200, "ok\n"},
		"alive though it isn't ready": {"GET", "/healthz", reason, 200, "ok\n"},
		"ready, to Prometheus":        {"GET", "/metrics", nil, 200, `osm_ready{component="osm-test"} 1`},
		"not ready, to Prometheus":    {"GET", "/metrics", reason, 200, `osm_ready{component="osm-test"} 0`},
		"its release, to Prometheus":  {"GET", "/metrics", nil, 200, `osm_build_info{component="osm-test",go="go1.`},
		"metrics of the process":      {"GET", "/metrics", nil, 200, "go_goroutines"},
		"nothing to write to":         {"POST", "/readyz", nil, 405, ""},
		"nothing else":                {"GET", "/debug/pprof/", nil, 404, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			answer := ask(t, test.method, test.path, test.unready)
			if answer.Code != test.code || !strings.Contains(answer.Body.String(), test.body) {
				t.Errorf("answer %d %q, want %d %q", answer.Code, answer.Body, test.code, test.body)
			}
		})
	}
}

func TestWarningsFollowWhetherItIsReady(t *testing.T) {
	tests := map[string]struct {
		unready  error
		warnings []string
		code     int
		body     string
	}{
		"ready":                  {nil, nil, 200, "ok\n"},
		"ready, and a warning":   {nil, []string{"the issuer fails"}, 200, "ok\nwarning: the issuer fails\n"},
		"ready, and two":         {nil, []string{"a\n\n* sealed", "b"}, 200, "ok\nwarning: a * sealed\nwarning: b\n"},
		"not ready, and one too": {errors.New("no certificate yet"), []string{"the issuer fails"}, 503, "no certificate yet\nwarning: the issuer fails\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := &OpsServer{
				Options:  &Options{},
				Registry: NewRegistry(),
				Ready:    func() error { return test.unready },
				Warnings: func() []string { return test.warnings },
			}
			answer := httptest.NewRecorder()
			s.Handler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), "GET", "/readyz", nil))
			if answer.Code != test.code || answer.Body.String() != test.body {
				t.Errorf("answer %d %q, want %d %q", answer.Code, answer.Body, test.code, test.body)
			}
		})
	}
}

func TestTheVersionIsJSON(t *testing.T) {
	answer := ask(t, "GET", "/version", nil)
	var got map[string]string
	if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got["version"] != Version() || !strings.HasPrefix(got["go"], "go1.") || answer.Header().Get("Content-Type") != "application/json" {
		t.Errorf("answer %v of type %s", got, answer.Header().Get("Content-Type"))
	}
}

// loopback returns an address that no other test uses: the port is always 9091.
func loopback() string {
	return fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
}

func TestAPortThatIsTakenIsNamed(t *testing.T) {
	address := loopback()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", net.JoinHostPort(address, "9091"))
	if err != nil {
		t.Fatal(err)
	}
	s := &OpsServer{Options: &Options{BindAddress: address}, Registry: NewRegistry(), Ready: func() error { return nil }}
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "serve metrics and health on "+address+":9091") {
		t.Errorf("error %v", err)
	}
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTheOpsServerServesUntilItIsToldToEnd(t *testing.T) {
	address := loopback()
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan struct{})
	s := &OpsServer{Options: &Options{BindAddress: address}, Registry: NewRegistry(), Ready: func() error { close(asked); return nil }}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	url := "http://" + net.JoinHostPort(address, "9091") + "/readyz"
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if answer, err := http.DefaultClient.Do(request); err == nil {
			if err := answer.Body.Close(); err != nil {
				t.Error(err)
			}
			break
		}
		select {
		case err := <-ended:
			t.Fatalf("Run: %v", err)
		default:
		}
	}
	<-asked
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}
