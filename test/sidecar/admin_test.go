package sidecar_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/osm-edge/osm/test/sidecar"
)

// at is a client of one of the pod's ports.
func (c *control) at(address string) *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return c.dialSoon(ctx, address)
	}}}
}

func TestASidecarQuitsWhenItsPodHasDone(t *testing.T) {
	c := newControl(t)
	s, err := sidecar.New(c.options("pod", "bookstore", "bookstore-v2"))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(t.Context()) }()
	if code, _ := get(t, c.at("pod:15000"), "http://pod/quit", nil); code != http.StatusMethodNotAllowed {
		t.Fatalf("a GET is answered %d", code)
	}
	c.wait(s, sidecar.State.Ready)
	for range 2 {
		response, err := c.at("pod:15000").Post("http://pod/quit", "", nil)
		if err != nil {
			break // it has quit at the first
		}
		response.Body.Close() // the code is the answer
		if response.StatusCode != http.StatusOK {
			t.Fatal(response.Status)
		}
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
}

func TestPrometheusReadsWhatASidecarCounts(t *testing.T) {
	p := newPods(t, serveHTTP(t, func(http.ResponseWriter, *http.Request) {}))
	response, err := p.client(http1()).Get("http://store/")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close() // it is empty
	code, body := get(t, p.at("store:15010"), "http://store/stats/prometheus", nil)
	if code != http.StatusOK {
		t.Fatal(code)
	}
	for _, want := range []string{
		fmt.Sprintf("osm_sidecar_certificate_expiry_timestamp_seconds %v\n", float64(p.store.State().Leaf().NotAfter.Unix())),
		"osm_sidecar_connections_total{direction=\"inbound\"} 1\n",
		"osm_sidecar_connections_total{direction=\"outbound\"} 0\n",
		"osm_sidecar_denied_total 0\n",
		"osm_sidecar_sds_connected 1\n",
		"osm_sidecar_sds_updates_total 1\n",
		"osm_sidecar_sds_nacks_total 0\n",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("lacks %q:\n%s", want, body)
		}
	}
	if code, _ := get(t, p.at("store:15010"), "http://store/certs", nil); code != http.StatusNotFound {
		t.Errorf("/certs is answered %d", code)
	}
}

func TestAPodWithoutAnAddressToListenOnIsTold(t *testing.T) {
	for name, failure := range map[string]error{"no such family": syscall.EAFNOSUPPORT, "a port that is taken": syscall.EADDRINUSE} {
		t.Run(name, func(t *testing.T) {
			c := newControl(t)
			o := c.options("pod", "bookstore", "bookstore-v2")
			o.Listen = func(address string) (net.Listener, error) {
				if strings.HasSuffix(address, ":15001") {
					return nil, fmt.Errorf("listen on %s: %w", address, failure)
				}
				return c.listen(address)
			}
			s, err := sidecar.New(o)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "open the outbound listener") {
				t.Errorf("%v", err)
			}
		})
	}
}
