package sidecar_test

import (
	"bytes"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/osm-edge/osm/injector"
	"github.com/osm-edge/osm/test/sidecar"
)

// undeclared are the counts of osm_sidecar_undeclared_http_total, by port.
func (p *pods) undeclared() map[string]float64 {
	p.t.Helper()
	code, body := get(p.t, p.at("store:15010"), "http://store/stats/prometheus", nil)
	if code != http.StatusOK {
		p.t.Fatal(code)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	counts := map[string]float64{}
	for _, metric := range families["osm_sidecar_undeclared_http_total"].GetMetric() {
		counts[metric.GetLabel()[0].GetValue()] = metric.GetCounter().GetValue()
	}
	return counts
}

func TestHTTPToPortsThatAreNotDeclaredIsCounted(t *testing.T) {
	isDeclared := func(_, store *sidecar.Options) {
		asked, _ := store.OriginalDestination(nil)
		store.Bootstrap.HTTPPorts = []uint16{asked.Port()}
	}
	isNotIntercepted := func(_, store *sidecar.Options) {
		asked, _ := store.OriginalDestination(nil)
		store.Bootstrap.Interception, store.Application = injector.NoInterception, asked.String()
	}
	cases := []struct {
		name        string
		connections int // each with two requests
		protocols   http.Protocols
		change      func(buyer, store *sidecar.Options)
		want        float64
	}{
		{"HTTP/1", 2, http1(), func(_, _ *sidecar.Options) {}, 2},
		{"HTTP/2", 2, http2(), func(_, _ *sidecar.Options) {}, 2},
		{"a port that is declared", 1, http1(), isDeclared, 0},
		{"without interception", 1, http1(), isNotIntercepted, 0},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			application := serveHTTP(t, func(http.ResponseWriter, *http.Request) {})
			p := newPods(t, application, tc.change)
			for range tc.connections {
				client := p.client(tc.protocols)
				for range 2 {
					response, err := client.Get("http://store/")
					if err != nil {
						t.Fatal(err)
					}
					if response.Body.Close(); response.StatusCode != http.StatusOK {
						t.Fatal(response.Status)
					}
				}
			}
			want := map[string]float64{}
			if tc.want > 0 {
				want[numberOf(application)] = tc.want
			}
			if got := p.undeclared(); !maps.Equal(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
}

// TestMetricsAreAsOsmCheckReadsThem is of the file that the tests of osm check
// read.
func TestMetricsAreAsOsmCheckReadsThem(t *testing.T) {
	want, err := os.ReadFile("testdata/metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	application := serveHTTP(t, func(http.ResponseWriter, *http.Request) {})
	p := newPods(t, application)
	response, err := p.client(http1()).Get("http://store/")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close() // it is empty
	_, got := get(t, p.at("store:15010"), "http://store/stats/prometheus", nil)
	got = strings.Replace(got, `port="`+numberOf(application)+`"`, `port="8080"`, 1)
	got = regexp.MustCompile(`(?m)^(osm_sidecar_certificate_expiry_timestamp_seconds) .*$`).ReplaceAllString(got, "$1 0")
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

func numberOf(address string) string {
	return strconv.Itoa(int(netip.MustParseAddrPort(address).Port()))
}

func TestWhatIsNoHTTPIsNotCounted(t *testing.T) {
	cases := []struct {
		name, said string
		answer     string // of an application that has read a byte
	}{
		{"another protocol", "\x00ping", "\x00pong"},
		{"a request to another protocol", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "-ERR unknown command\r\n"},
		{"a request without an answer", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", ""},
		{"a request that is refused", "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			p := newPods(t, serveTCP(t, "127.0.0.1:0", func(conn *net.TCPConn) error {
				if _, err := conn.Read(make([]byte, 1)); err != nil {
					return nil // it was told nothing
				}
				_, err := io.WriteString(conn, tc.answer)
				return err
			}))
			conn := p.call()
			if _, err := io.WriteString(conn, tc.said); err != nil {
				t.Fatal(err)
			}
			if err := conn.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			var answer bytes.Buffer
			answer.ReadFrom(conn) // which may be reset
			if got := p.undeclared(); len(got) != 0 {
				t.Errorf("%v, after %q", got, answer.String())
			}
		})
	}
}
