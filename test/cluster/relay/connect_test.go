package relay_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/osm-edge/osm/test/cluster/relay"
)

func TestAProxyCarriesWhatConnectAsksFor(t *testing.T) {
	target := reverser(t)
	proxy := serveConnect(t, func(ctx context.Context, address string) (net.Conn, error) {
		if address != "name.example:7" {
			return nil, errors.New("asked for " + address)
		}
		var dialer net.Dialer
		return dialer.DialContext(ctx, "tcp", target)
	})
	conn, err := net.Dial("unix", proxy)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const answer = "HTTP/1.1 200 Connected\r\n\r\n"
	if _, err := fmt.Fprint(conn, "CONNECT name.example:7 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if got := make([]byte, len(answer)); readFull(t, conn, got) != answer {
		t.Fatalf("got %q", got)
	}
	if _, err := io.WriteString(conn, "abc"); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.UnixConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); err != nil || string(got) != "cba" {
		t.Errorf("got %q and %v, want the bytes reversed", got, err)
	}
}

func TestAProxyRefusesInItsStatusLine(t *testing.T) {
	proxy := serveConnect(t, func(context.Context, string) (net.Conn, error) { return nil, errors.New("no one\nthere") })
	for request, want := range map[string]string{
		"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n":      `503 Service Unavailable: "no one\nthere"`,
		"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\nhasty": "405 Method Not Allowed: ",
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n":            "405 Method Not Allowed: ",
		"nonsense\r\n\r\n":                             "400 Bad Request: ",
	} {
		conn, err := net.Dial("unix", proxy)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(conn)
		if err != nil && len(got) == 0 {
			t.Errorf("%q: %v", request, err)
		}
		if !strings.HasPrefix(string(got), "HTTP/1.1 "+want) {
			t.Errorf("%q: got %q, want %q", request, got, want)
		}
	}
}

func TestGosOwnClientUnderstandsTheProxy(t *testing.T) {
	proxy := serveConnect(t, func(context.Context, string) (net.Conn, error) { return nil, errors.New("no one there") })
	client := http.Client{Transport: &http.Transport{
		Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: "proxy"}),
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, "unix", proxy)
		},
	}}
	if _, err := client.Get("https://name.example"); err == nil || !strings.Contains(err.Error(), "no one there") {
		t.Errorf("got %v, want the refusal", err)
	}
}

func serveConnect(t *testing.T, dial func(context.Context, string) (net.Conn, error)) string {
	t.Helper()
	listener := listen(t, "unix", filepath.Join(t.TempDir(), "s"))
	run(t, func(ctx context.Context) error { return relay.ServeConnect(ctx, listener, dial) })
	return listener.Addr().String()
}

func readFull(t *testing.T, r io.Reader, b []byte) string {
	t.Helper()
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatal(err)
	}
	return string(b)
}
