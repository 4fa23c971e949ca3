package sidecar_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/test/sidecar"
)

// probed is a sidecar with the probes, and a client that asks it as the kubelet
// does: at an address, and without following what leads elsewhere.
func probed(t *testing.T, probes ...injector.Probe) func(method, port, path string, header http.Header) (*http.Response, error) {
	t.Helper()
	c := newControl(t)
	c.tcp = true
	o := c.options("pod", "bookstore", "bookstore-v2")
	o.Bootstrap.Probes = probes
	c.wait(c.run(o), sidecar.State.Ready)
	return func(method, port, path string, header http.Header) (*http.Response, error) {
		client := &http.Client{
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return c.dialSoon(ctx, "pod:"+port)
			}},
		}
		r, err := http.NewRequestWithContext(t.Context(), method, "http://127.0.0.1:"+port+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = header.Clone()
		if r.Header == nil {
			r.Header = http.Header{}
		}
		r.Host = r.Header.Get("Host")
		return client.Do(r)
	}
}

func portOf(t *testing.T, address string) uint16 {
	t.Helper()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(strings.TrimPrefix(address, "http://"), "https://"))
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return uint16(number)
}

func TestAnHTTPProbeIsAskedAndAnsweredAsWithoutASidecar(t *testing.T) {
	elsewhere := portOf(t, serveHTTP(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "another port") }))
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthy":
			fmt.Fprintf(w, "host %s query %s agent %q accept %q custom %q peer %q close %t", r.Host, r.URL.RawQuery, r.UserAgent(),
				r.Header.Get("Accept"), r.Header.Get("X-Custom"), r.Header.Get(peerHeader), r.Close)
		case "/login":
			http.Redirect(w, r, "/healthy", http.StatusFound)
		case "/port":
			http.Redirect(w, r, fmt.Sprintf("http://127.0.0.1:%d/", elsewhere), http.StatusFound)
		case "/away":
			http.Redirect(w, r, "http://elsewhere.example/", http.StatusMovedPermanently)
		case "/admin":
			http.Redirect(w, r, "http://127.0.0.1:15000/certs", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/long":
			fmt.Fprint(w, strings.Repeat("x", 1<<20))
		case "/hang":
			<-r.Context().Done()
		default:
			http.Error(w, "sick", http.StatusInternalServerError)
		}
	})
	secure := httptest.NewTLSServer(app)
	t.Cleanup(secure.Close)
	plain := portOf(t, serveHTTP(t, app))
	targets := map[injector.ProbeKind]uint16{injector.HTTPProbe: plain, injector.HTTPSProbe: portOf(t, secure.URL)}
	healthy := func(host string) string {
		return fmt.Sprintf(`host %s query q=1 agent "kube-probe/1.37" accept "*/*" custom "yes" peer "" close true`, host)
	}
	for kind, target := range targets {
		own := fmt.Sprintf("127.0.0.1:%d", target)
		cases := []struct {
			name, path, host string
			code             int
			body             string // none: not answered
		}{
			{"well", "/healthy?q=1", "", 200, healthy(own)},
			{"well, by a name of its own", "/healthy?q=1", "shop.example", 200, healthy("shop.example")},
			{"ill", "/ill", "", 500, "sick\n"},
			{"redirected within", "/login", "", 200, strings.Replace(healthy(own), "q=1", "", 1)},
			{"redirected to another port", "/port", "", 200, "another port"},
			{"redirected elsewhere", "/away", "", 200, "<a href=\"http://elsewhere.example/\">Moved Permanently</a>.\n\n"},
			{"redirected to the sidecar", "/admin", "", 0, ""},
			{"redirected for ever", "/loop", "", 0, ""},
			{"more than is read", "/long", "", 200, strings.Repeat("x", 10<<10)},
			{"hanging", "/hang", "", 0, ""},
		}
		for _, tc := range cases {
			t.Run(string(kind)+", "+tc.name, func(t *testing.T) {
				probe := injector.Probe{Port: 15901, Path: "/osm/app/liveness", Kind: kind, Target: target, TargetPath: tc.path, TimeoutSeconds: 1, Headers: []string{"X-Custom"}}
				header := http.Header{"User-Agent": {"kube-probe/1.37"}, "Accept": {"*/*"}, "X-Custom": {"yes"}, peerHeader: {forged}}
				if tc.host != "" {
					header.Set("Host", tc.host)
					probe.Headers = append(probe.Headers, "Host")
				} else {
					header.Set("Host", "127.0.0.1:15901")
				}
				response, err := probed(t, probe)(http.MethodGet, "15901", "/osm/app/liveness", header)
				if tc.body == "" {
					if err == nil {
						t.Errorf("answered %s", response.Status)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(response.Body)
				if err != nil || response.StatusCode != tc.code || string(body) != tc.body {
					t.Errorf("%d %.200q, %v, want %d %.200q", response.StatusCode, body, err, tc.code, tc.body)
				}
			})
		}
	}
}

// TestWhoAsksAProbeLeadsItNowhereElse has a stranger ask with headers by which
// some servers choose what to answer.
func TestWhoAsksAProbeLeadsItNowhereElse(t *testing.T) {
	asked := make(chan *http.Request, 1)
	target := portOf(t, serveHTTP(t, func(_ http.ResponseWriter, r *http.Request) { asked <- r }))
	probe := injector.Probe{Port: 15901, Path: "/osm/app/liveness", Kind: injector.HTTPProbe, Target: target, TargetPath: "/healthy", TimeoutSeconds: 1,
		Headers: []string{"X-Declared", peerHeader}}
	header := http.Header{"Host": {"admin.example"}, "User-Agent": {"kube-probe/1.37"}, "X-Declared": {"yes"}}
	for _, name := range []string{
		"X-Original-Url", "X-Rewrite-Url", "X_Original_Url", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Prefix", "Forwarded", "X-Real-Ip",
		"X-Http-Method-Override", "X-Method-Override", "Connection", "Upgrade", "Authorization", "Cookie", "Range", "X-Host", peerHeader, "X_Forwarded.Client~Cert",
	} {
		header.Set(name, "/admin")
	}
	response, err := probed(t, probe)(http.MethodGet, "15901", "/osm/app/liveness", header)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close() // the code is the answer
	got := <-asked
	want := http.Header{"Connection": {"close"}, "User-Agent": {"kube-probe/1.37"}, "X-Declared": {"yes"}}
	if diff := cmp.Diff(want, got.Header); diff != "" || got.Host != fmt.Sprintf("127.0.0.1:%d", target) || got.RequestURI != "/healthy" {
		t.Errorf("the application is asked for %s of %s, with -want +got:\n%s", got.RequestURI, got.Host, diff)
	}
}

func TestTCPAndGRPCProbesSayWellOrNot(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, service := grpc.NewServer(), health.NewServer()
	healthpb.RegisterHealthServer(server, service)
	service.SetServingStatus("books", healthpb.HealthCheckResponse_SERVING)
	service.SetServingStatus("ill", healthpb.HealthCheckResponse_NOT_SERVING)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	open := portOf(t, l.Addr().String())
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := portOf(t, gone.Addr().String())
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	probe := func(kind injector.ProbeKind, target uint16, service string) injector.Probe {
		return injector.Probe{Port: 15904, Path: "/osm/app/readiness", Kind: kind, Target: target, Service: service, TimeoutSeconds: 5}
	}
	cases := map[string]struct {
		probe injector.Probe
		code  int
	}{
		"an open port":                     {probe(injector.TCPProbe, open, ""), 200},
		"a closed port":                    {probe(injector.TCPProbe, closed, ""), 503},
		"the sidecar's own port":           {probe(injector.TCPProbe, 15000, ""), 503},
		"a server that is well":            {probe(injector.GRPCProbe, open, ""), 200},
		"a service that is well":           {probe(injector.GRPCProbe, open, "books"), 200},
		"a service that is ill":            {probe(injector.GRPCProbe, open, "ill"), 503},
		"a service that no one registered": {probe(injector.GRPCProbe, open, "unheard of"), 503},
		"no server":                        {probe(injector.GRPCProbe, closed, ""), 503},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			response, err := probed(t, tc.probe)(http.MethodGet, "15904", tc.probe.Path, nil)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close() // the code is the answer
			if response.StatusCode != tc.code {
				t.Errorf("%d, want %d", response.StatusCode, tc.code)
			}
		})
	}
}

func TestProbePortsAnswerNothingElse(t *testing.T) {
	target := portOf(t, serveHTTP(t, func(http.ResponseWriter, *http.Request) {}))
	probe := injector.Probe{Port: 15902, Path: "/osm/app/readiness", Kind: injector.HTTPProbe, Target: target, TargetPath: "/", TimeoutSeconds: 1}
	hook := probe
	hook.Port, hook.Path = 15901, "/osm/app/preStop"
	ask := probed(t, probe, hook)
	for _, tc := range []struct {
		method, port, path string
		code               int
	}{
		{"GET", "15902", "/osm/app/readiness", 200},
		{"GET", "15902", "/ready", 200},
		{"GET", "15901", "/osm/app/preStop", 200},
		{"GET", "15902", "/osm/app/preStop", 404},
		{"GET", "15902", "/osm/app/readiness/x", 404},
		{"GET", "15902", "/osm/app/../app/readiness", 404},
		{"GET", "15902", "/certs", 404},
		{"POST", "15902", "/quit", 404},
		{"GET", "15901", "/ready", 404},
		{"POST", "15901", "/osm/app/preStop", 405},
		{"HEAD", "15901", "/osm/app/preStop", 405},
	} {
		response, err := ask(tc.method, tc.port, tc.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close() // the code is the answer
		if response.StatusCode != tc.code {
			t.Errorf("%s %s at %s: %d, want %d", tc.method, tc.path, tc.port, response.StatusCode, tc.code)
		}
	}
}
