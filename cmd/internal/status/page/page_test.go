package page

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/osm-edge/osm/cmd/internal/status"
	"github.com/osm-edge/osm/issuer/rotation"
)

// sample is a mesh in which everything is going on at once.
func sample() status.Report {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	return status.Report{
		Time: now, Mesh: "osm", Namespace: "osm-system", TrustDomain: "cluster.local", Version: "1.2.3", Replica: "osm-controller-1", Leads: true,
		Issuer: status.Issuer{Root: "osm-mesh-root-certificate", Works: true},
		Rotation: status.Rotation{Step: "distribute", Since: now.Add(-time.Minute), Deadline: now.Add(4 * time.Minute), Progress: &status.Progress{
			Pods: 10, MissingTotal: 3, Missing: []string{"bookstore/a", "bookstore/b"}, Certificates: 5, Replaced: 1,
		}},
		Roots: []status.Root{
			{Authority: "osm-mesh-root-certificate", Subject: "CN=osm-ca.openservicemesh.io", Fingerprint: "0badcafe", NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(9, 0, 0), Stage: rotation.Signing},
			{Authority: "osm-second-root", Subject: "CN=osm-ca.openservicemesh.io", Fingerprint: "cafe0bad", NotBefore: now, NotAfter: now.AddDate(10, 0, 0), Stage: rotation.Distributing},
		},
		Certificates: []status.Certificate{
			{SPIFFEID: "spiffe://cluster.local/ns/bookstore/sa/bookstore-v1", Namespace: "bookstore", ServiceAccount: "bookstore-v1", Serial: "5f",
				NotBefore: now.Add(-6 * time.Hour), NotAfter: now.Add(18 * time.Hour), RenewAt: now.Add(8 * time.Hour), Authority: "osm-mesh-root-certificate", Proxies: 2},
			{SPIFFEID: "spiffe://cluster.local/ns/bookstore/sa/waits", Namespace: "bookstore", ServiceAccount: "waits"},
		},
		CertificateTotal: 2,
		Proxies: []status.Proxy{{Namespace: "bookstore", Pod: "bookstore-v1-5d9", ServiceAccount: "bookstore-v1", UUID: "6f9c",
			Since: now.Add(-time.Hour), Acked: now.Add(-time.Minute), Streams: 2}},
		ProxyTotal: 1,
		Refusals:   []status.Refusal{{Time: now.Add(-time.Hour), Reason: "expired", Address: "10.0.0.9:41000", Message: "the token expired"}},
	}
}

func get(t *testing.T, r status.Report, method, path, host, bind string) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	request.Host = host
	answer := httptest.NewRecorder()
	(&Server{BindAddress: bind, Report: func() status.Report { return r }}).Handler().ServeHTTP(answer, request)
	return answer
}

func TestThePageTellsWhatThereIs(t *testing.T) {
	body := get(t, sample(), "GET", "/", "localhost:9092", "").Body.String()
	for _, want := range []string{
		"<!DOCTYPE html><html lang=\"en\">", "<strong>osm</strong>", "leads", "7 of 10 pods have acknowledged", "in 4m", "bookstore/b</code><span> and 1 more",
		"0B:AD:CA:FE", "in 18h", "75 % of its life is left", "not issued yet", "bookstore/bookstore-v1-5d9", "the token expired",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	if strings.Contains(body, "<script") || strings.Contains(body, "style=") || strings.Contains(body, "//") && strings.Contains(body, "src=") {
		t.Error("the page has a script or a style of its own, or loads something")
	}
}

func TestAMeshThatDoesNothingYetIsToldSo(t *testing.T) {
	body := get(t, status.Report{NotReady: "pods and namespaces are not cached yet"}, "GET", "/", "localhost", "").Body.String()
	for _, want := range []string{"not cached yet", "nobody yet", "No root is trusted yet", "No sidecar is connected", "Nobody was refused"} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
}

func TestNothingThatIsToldBecomesMarkup(t *testing.T) {
	const evil = `"'><script>alert(1)</script>&<b onload=x>`
	r := sample()
	r.Mesh, r.Replica, r.NotReady, r.TrustDomain, r.Version = evil, evil, evil, evil, evil
	r.Issuer = status.Issuer{Root: evil, Failure: evil}
	r.Rotation.Progress.Missing[0] = evil
	r.Roots[0].Authority, r.Roots[0].Subject, r.Roots[0].Fingerprint, r.Roots[0].Stage = evil, evil, evil, evil
	r.Certificates[0].Serial, r.Certificates[0].SPIFFEID, r.Certificates[0].Authority, r.Certificates[0].Namespace = evil, evil, evil, evil
	r.Proxies[0].Pod, r.Refusals[0].Message, r.Refusals[0].Reason, r.Refusals[0].Address = evil, evil, evil, evil
	body := get(t, r, "GET", "/", "localhost", "").Body.String()
	if strings.Contains(body, "<script") || strings.Contains(body, "<SCRIPT") || strings.Contains(body, "<b ") {
		t.Errorf("the page has it in %s", body)
	}
	if n := strings.Count(body, "&lt;script&gt;"); n < 15 {
		t.Errorf("it is shown %d times", n)
	}
}

func TestTheDocumentIsServedAsItIs(t *testing.T) {
	answer := get(t, sample(), "GET", status.Path, "127.0.0.1:9092", "")
	var got status.Report
	if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Roots[1] != sample().Roots[1] || got.Certificates[0] != sample().Certificates[0] || got.Rotation.Deadline != sample().Rotation.Deadline {
		t.Errorf("got %+v", got)
	}
}

func TestOnlyWhoAsksThisMachineIsAnswered(t *testing.T) {
	for name, test := range map[string]struct {
		method, path, host, bind string
		code                     int
	}{
		"localhost":                       {"GET", "/", "localhost:8080", "", 200},
		"its head":                        {"HEAD", "/", "localhost", "", 200},
		"loopback":                        {"GET", "/", "127.0.0.1:9092", "", 200},
		"loopback of IPv6":                {"GET", "/", "[::1]:9092", "", 200},
		"loopback of IPv6 without a port": {"GET", "/", "[::1]", "", 200},
		"the style":                       {"GET", "/style.css", "localhost", "", 200},
		"the address that is served on":   {"GET", "/", "10.1.2.3:9092", "10.1.2.3", 200},
		"another address":                 {"GET", "/", "10.1.2.3:9092", "", 403},
		"a site that leads here":          {"GET", "/", "localhost.example.com:9092", "", 403},
		"no name":                         {"GET", status.Path, "", "", 403},
		"a write":                         {"POST", "/", "localhost", "", 405},
		"a deletion":                      {"DELETE", status.Path, "localhost", "", 405},
		"nothing else":                    {"GET", "/debug/pprof/", "localhost", "", 404},
	} {
		t.Run(name, func(t *testing.T) {
			answer := get(t, sample(), test.method, test.path, test.host, test.bind)
			if answer.Code != test.code {
				t.Errorf("answer %d %q, want %d", answer.Code, answer.Body, test.code)
			}
			for header, want := range map[string]string{"Cache-Control": "no-store", "Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"} {
				if got := answer.Header().Get(header); got != want {
					t.Errorf("%s is %q", header, got)
				}
			}
		})
	}
}

func TestAPageHasSoManyRowsAtMost(t *testing.T) {
	r := sample()
	for i := range 600 {
		r.Proxies = append(r.Proxies, status.Proxy{Namespace: "crowd", Pod: fmt.Sprint("pod-", i)})
	}
	r.ProxyTotal = 9000
	body := get(t, r, "GET", "/", "localhost", "").Body.String()
	if n := strings.Count(body, "crowd/pod-"); n != most-1 || !strings.Contains(body, "The first 500 of 9000 are shown.") {
		t.Errorf("%d rows", n)
	}
}
