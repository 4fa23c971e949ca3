package forward

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
)

func TestAServerOnAPodsLoopbackIsAsked(t *testing.T) {
	admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/certs" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, strings.Repeat("certificate ", 10000))
	}))
	defer admin.Close()
	api := httptest.NewServer(kubelet(t, admin.Listener.Addr().String()))
	defer api.Close()
	config := &rest.Config{Host: api.URL}

	body, err := Get(t.Context(), config, "books", "bookbuyer-1", 15000, "/certs")
	if err != nil || len(body) != 120000 {
		t.Errorf("got %d bytes, error %v", len(body), err)
	}
	if _, err := Get(t.Context(), config, "books", "bookbuyer-1", 15000, "/elsewhere"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("of a path that is not there: error %v", err)
	}
	_, err = Get(t.Context(), config, "books", "gone", 15000, "/certs")
	if err == nil || !strings.Contains(err.Error(), "pod books/gone") {
		t.Errorf("of a pod that is not there: error %v", err)
	}
}

// kubelet forwards ports of one pod, over SPDY alone, all to the same address.
func kubelet(t *testing.T, address string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/namespaces/books/pods/bookbuyer-1/portforward" || r.Header.Get("Upgrade") == "websocket" {
			http.NotFound(w, r)
			return
		}
		if _, err := httpstream.Handshake(r, w, []string{portforward.PortForwardProtocolV1Name}); err != nil {
			t.Error(err)
			return
		}
		streams := make(chan httpstream.Stream, 2)
		connection := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(s httpstream.Stream, _ <-chan struct{}) error {
			streams <- s
			return nil
		})
		if connection == nil {
			return
		}
		defer connection.Close()
		carry(t, connection, streams, address)
	})
}

func carry(t *testing.T, connection httpstream.Connection, streams <-chan httpstream.Stream, address string) {
	var failure httpstream.Stream
	for {
		select {
		case s := <-streams:
			if s.Headers().Get(corev1.StreamType) == corev1.StreamTypeError {
				failure = s
				continue
			}
			backend, err := net.Dial("tcp", address)
			if err != nil {
				t.Error(err)
				return
			}
			go func() {
				_, _ = io.Copy(backend, s)
				_ = backend.(*net.TCPConn).CloseWrite()
			}()
			_, _ = io.Copy(s, backend)
			_ = s.Close()
			_ = failure.Close()
			backend.Close()
		case <-connection.CloseChan():
			return
		}
	}
}
