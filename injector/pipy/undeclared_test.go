package pipy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/osm-edge/osm/injector"
)

// undeclared are the counts of osm_sidecar_undeclared_http_total, by port.
func (m *mesh) undeclared() map[string]float64 {
	m.t.Helper()
	_, body := ask(m.otherPod, http.MethodGet, "http://"+pipyAddress+":15010/stats/prometheus", nil)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil || len(families) == 0 {
		m.t.Fatal(err, body)
	}
	counts := map[string]float64{}
	for _, metric := range families["osm_sidecar_undeclared_http_total"].GetMetric() {
		counts[metric.GetLabel()[0].GetValue()] = metric.GetCounter().GetValue()
	}
	return counts
}

func TestPipyCountsHTTPToPortsThatAreNotDeclared(t *testing.T) {
	m := newMesh(t)
	p := m.pipy(func(b *injector.Bootstrap) { b.HTTPPorts = []uint16{8082} })
	other := m.reference()
	p.waitReady(pipyAddress)
	for _, address := range []string{"[::]:8080", "[::]:8081", "[::]:8082"} {
		application(t, p.n, address)
	}
	accept(t, p.n, "[::]:9000", echo)
	accept(t, p.n, "[::]:9001", func(conn net.Conn) {
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			fmt.Fprint(conn, "-ERR unknown command\r\n")
		}
	})
	secure := func(address string) net.Conn {
		t.Helper()
		conn, err := other.DialPeer(t.Context(), address, identityOf(t, "bookbuyer", "bookbuyer"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	for _, tc := range []struct {
		address string
		isHTTP2 bool
		clients int
	}{{"10.0.0.1:8080", false, 2}, {"[fd00::1]:8080", true, 1}, {"10.0.0.1:8081", true, 1}, {"10.0.0.1:8082", false, 1}, {"10.0.0.1:8082", true, 1}} {
		for range tc.clients {
			var protocols http.Protocols
			protocols.SetHTTP1(!tc.isHTTP2)
			protocols.SetUnencryptedHTTP2(tc.isHTTP2)
			c := &http.Client{Timeout: timeLimit, Transport: &http.Transport{Protocols: &protocols,
				DialContext: func(_ context.Context, _, address string) (net.Conn, error) { return secure(address), nil }}}
			for range 2 {
				response, err := c.Get("http://" + tc.address + "/")
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
					t.Fatal(response.Status, err)
				}
				response.Body.Close()
			}
			c.CloseIdleConnections()
		}
	}
	speak(t, secure("10.0.0.1:9000"), "", "\x00\x01ping\n")
	for _, address := range []string{"10.0.0.1:9001", "10.0.0.1:9002"} { // another protocol, and nothing
		conn := secure(address)
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if answer := heard(conn); strings.Contains(answer, "200 OK") {
			t.Errorf("%s: %q", address, answer)
		}
	}
	if diff := cmp.Diff(map[string]float64{"8080": 3, "8081": 1}, m.undeclared()); diff != "" {
		t.Error(diff)
	}
}

func TestPipyCountsNoneWithoutInterception(t *testing.T) {
	m := newMesh(t)
	p := m.pipy(func(b *injector.Bootstrap) { b.Interception = injector.NoInterception })
	other := m.reference()
	p.waitReady(pipyAddress)
	application(t, p.n, "127.0.0.1:8080")
	conn, err := other.DialPeer(t.Context(), "10.0.0.1:15003", identityOf(t, "bookbuyer", "bookbuyer"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: bookbuyer:8080\r\n\r\n")
	if response, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || response.StatusCode != http.StatusOK {
		t.Fatal(response, err)
	}
	if got := m.undeclared(); len(got) != 0 {
		t.Error(got)
	}
}
