package pipy_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/test/netns"
	"github.com/osm-edge/osm/test/testkit"
)

func probe(port uint16, path string, kind injector.ProbeKind, target uint16, targetPath string) injector.Probe {
	return injector.Probe{Port: port, Path: path, Kind: kind, Target: target, TargetPath: targetPath, TimeoutSeconds: 1}
}

// probed serves what probes ask for.
func probed(t *testing.T, n *netns.Namespace, address string, secure *tls.Config) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %s %q", r.Host, r.URL, r.Header.Get("X-Probe"), r.Header["X-Forwarded-Client-Cert"])
	})
	mux.HandleFunc("/sick", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	mux.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.Handle("/moved", http.RedirectHandler("/healthz?moved", http.StatusFound))
	mux.HandleFunc("/absolute", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+r.Host+"/sick", http.StatusFound)
	})
	mux.Handle("/around", http.RedirectHandler("/around", http.StatusFound))
	mux.Handle("/away", http.RedirectHandler("http://example.com/", http.StatusFound))
	mux.Handle("/inside", http.RedirectHandler("http://"+pipyAddress+":15000/certs", http.StatusFound))
	l := listen(t, n, address)
	if secure != nil {
		l = tls.NewListener(l, secure)
	}
	server := &http.Server{Handler: mux}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
}

func TestPipyAnswersProbesAsTheApplicationDoes(t *testing.T) {
	m := newMesh(t)
	p := m.pipy(func(b *injector.Bootstrap) {
		b.Probes = []injector.Probe{
			{Port: 15901, Path: "/osm/app/liveness", Kind: injector.HTTPProbe, Target: 8080, TargetPath: "/healthz?deep=1", TimeoutSeconds: 1, Headers: []string{"Host", "X-Probe"}},
			probe(15902, "/osm/app/readiness", injector.HTTPSProbe, 8443, "/healthz"),
			probe(15903, "/osm/app/startup", injector.HTTPProbe, 8081, "/healthz"),
			probe(15904, "/osm/app/liveness", injector.TCPProbe, 8080, ""),
			probe(15904, "/osm/gone/liveness", injector.TCPProbe, 9999, ""),
			probe(15904, "/osm/far/liveness", injector.TCPProbe, 8081, ""),
			probe(15904, "/osm/near/liveness", injector.TCPProbe, 8083, ""),
			{Port: 15901, Path: "/osm/grpc/liveness", Kind: injector.GRPCProbe, Target: 8082, TimeoutSeconds: 1},
			{Port: 15901, Path: "/osm/sick/liveness", Kind: injector.GRPCProbe, Target: 8082, Service: "sick", TimeoutSeconds: 1},
			{Port: 15901, Path: "/osm/gone/liveness", Kind: injector.GRPCProbe, Target: 9999, TimeoutSeconds: 1},
		}
		for _, name := range []string{"sick", "slow", "moved", "absolute", "around", "away", "inside"} {
			b.Probes = append(b.Probes, probe(15901, "/osm/"+name+"/readiness", injector.HTTPProbe, 8080, "/"+name))
		}
		b.Probes = append(b.Probes, probe(15901, "/osm/gone/readiness", injector.HTTPProbe, 9999, "/"))
	})
	probed(t, p.n, "[::]:8080", nil)
	probed(t, p.n, pipyAddress+":8081", nil)
	probed(t, p.n, "127.0.0.1:8083", nil)
	probed(t, p.n, "[::]:8443", &tls.Config{Certificates: []tls.Certificate{certificate(t, testkit.CA(t), "unheard.of")}})
	checks := health.NewServer()
	checks.SetServingStatus("sick", healthpb.HealthCheckResponse_NOT_SERVING)
	server := grpc.NewServer()
	healthpb.RegisterHealthServer(server, checks)
	l := listen(t, p.n, "[::]:8082")
	go server.Serve(l)
	t.Cleanup(server.Stop)
	p.waitReady(pipyAddress)

	cases := []struct {
		name, url string
		header    http.Header
		code      int
		body      string
	}{
		{"http", ":15901/osm/app/liveness", http.Header{"X-Probe": {"mine"}, "X-Forwarded-Client-Cert": {forged}}, 200, pipyAddress + `:8080 /healthz?deep=1 mine []`},
		{"http with a host of its own", ":15901/osm/app/liveness", http.Header{"Host": {"shop.example"}}, 200, `shop.example /healthz?deep=1  []`},
		{"https", ":15902/osm/app/readiness", nil, 200, pipyAddress + `:8443 /healthz  []`},
		{"http at the pod's address alone", ":15903/osm/app/startup", nil, 200, pipyAddress + `:8081 /healthz  []`},
		{"http that fails", ":15901/osm/sick/readiness", nil, 500, ""},
		{"http that takes too long", ":15901/osm/slow/readiness", nil, 503, "timeout\n"},
		{"http where nothing listens", ":15901/osm/gone/readiness", nil, 503, "ConnectionRefused\n"},
		{"a redirect", ":15901/osm/moved/readiness", nil, 200, pipyAddress + `:8080 /healthz?moved  []`},
		{"a redirect to the pod's address, that fails", ":15901/osm/absolute/readiness", nil, 500, ""},
		{"a redirect to itself", ":15901/osm/around/readiness", nil, 503, "stopped after 10 redirects\n"},
		{"a redirect elsewhere", ":15901/osm/away/readiness", nil, 200, "ok\n"},
		{"a redirect to the sidecar", ":15901/osm/inside/readiness", nil, 503, "a redirect to the sidecar's own port\n"},
		{"tcp", ":15904/osm/app/liveness", nil, 200, "ok\n"},
		{"tcp at the pod's address alone", ":15904/osm/far/liveness", nil, 200, "ok\n"},
		{"tcp on loopback alone", ":15904/osm/near/liveness", nil, 503, "the application takes no connection\n"},
		{"tcp where nothing listens", ":15904/osm/gone/liveness", nil, 503, "the application takes no connection\n"},
		{"grpc", ":15901/osm/grpc/liveness", nil, 200, "ok\n"},
		{"grpc that does not serve", ":15901/osm/sick/liveness", nil, 503, "not serving\n"},
		{"grpc where nothing listens", ":15901/osm/gone/liveness", nil, 503, "ConnectionRefused\n"},
		{"a path that is not listed", ":15901/healthz", nil, 404, "no such probe\n"},
		{"a probe of another port", ":15903/osm/app/liveness", nil, 404, "no such probe\n"},
		{"a path that only begins so", ":15901/osm/app/liveness/../x", nil, 404, "no such probe\n"},
		{"certificates, from outside", ":15902/certs", nil, 404, "no such probe\n"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			if code, body := ask(m.otherPod, http.MethodGet, "http://"+pipyAddress+tc.url, tc.header); code != tc.code || body != tc.body {
				t.Errorf("%d %q, want %d %q", code, body, tc.code, tc.body)
			}
		})
	}
	if code, _ := ask(m.otherPod, http.MethodPost, "http://"+pipyAddress+":15901/osm/app/liveness", nil); code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", code)
	}
	if code, body := ask(m.otherPod, http.MethodGet, "http://"+net.JoinHostPort("fd00::1", "15901")+"/osm/app/liveness", nil); code != 200 || !strings.HasPrefix(body, "[fd00::1]:8080 ") {
		t.Errorf("IPv6: %d %s", code, body)
	}
	_, metrics := ask(m.otherPod, http.MethodGet, "http://"+pipyAddress+":15010/stats/prometheus", nil)
	for _, want := range []string{
		"osm_sidecar_certificate_expiry_timestamp_seconds 1", `osm_sidecar_connections_total{direction="inbound"} 0`, `osm_sidecar_connections_total{direction="outbound"} 0`,
		"osm_sidecar_denied_total 0", "osm_sidecar_sds_connected 1", "osm_sidecar_sds_updates_total 1", "osm_sidecar_sds_nacks_total 0",
	} {
		if !strings.Contains(metrics, "\n"+want) {
			t.Errorf("no %q in\n%s", want, metrics)
		}
	}
}
