package webhook_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/test/bufconn"

	"github.com/osm-edge/osm/webhook"
)

func TestALingeringServerPartsFromEachConnectionWithAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const linger = 5 * time.Second
		ca := newTestCA(t)
		server, err := webhook.NewServer(webhook.ServerOptions{
			Certificates: sourceOf(t, ca.issue(t)),
			Handlers:     map[string]http.Handler{"/echo": echo},
			Linger:       linger,
		})
		if err != nil {
			t.Fatal(err)
		}
		listener := bufconn.Listen(64 << 10)
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error)
		go func() { served <- server.Serve(ctx, listener) }()
		client := &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: ca.pool(), ServerName: serverName},
			DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return listener.DialContext(ctx) },
		}}
		for _, call := range []struct {
			after  func()
			closes bool
		}{
			{func() {}, false},
			{stop, true},
			{func() { time.Sleep(linger - time.Nanosecond) }, true},
		} {
			call.after()
			response, err := client.Post("https://webhook/echo", "application/json", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			if err := response.Body.Close(); err != nil {
				t.Error(err)
			}
			if response.StatusCode != http.StatusOK || response.Close != call.closes {
				t.Errorf("status %d, closes %t, want it to close: %t", response.StatusCode, response.Close, call.closes)
			}
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
		if _, err := listener.Dial(); err == nil {
			t.Error("the server still listens")
		}
	})
}
