package component

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"testing"
	"time"
)

// TestConnectionsToTheOpsServerAreBounded has one client hold as many connections
// as would take more than the 128M of osm-injector's container.
func TestConnectionsToTheOpsServerAreBounded(t *testing.T) {
	const connections = 4000
	s := &OpsServer{Options: &Options{}, Component: "osm-test", Registry: NewRegistry(), Ready: func() error { return nil }}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.serve(ctx, listener) }()
	inUse := func() (bytes uint64) {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	before := inUse()
	for range connections {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET /metrics HTTP/1.1\r\nHost: a\r\n") // and no end; it may be closed by now
	}
	client := &http.Client{Timeout: 10 * time.Second}
	for range 20 {
		response, err := client.Get("http://" + listener.Addr().String() + "/healthz")
		if err != nil {
			t.Fatal("meanwhile: ", err)
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
			t.Error(response.Status, err)
		}
		response.Body.Close()
	}
	if grown := inUse() - before; grown > 20<<20 {
		t.Errorf("%d connections take %d MB", connections, grown>>20)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
