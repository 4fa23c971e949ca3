package pipy_test

import (
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/osm-edge/osm/test/testkit"
)

// Idle ones would stay for a minute: a client that connects for each request would
// have the application hold thousands, and the sidecar tens of megabytes.
func TestConnectionsToTheApplicationEndWithThoseOfClients(t *testing.T) {
	for name, program := range map[string]string{"pipy": pipyBinary(t), "reference": reference(t)} {
		t.Run(name, func(t *testing.T) {
			m := newMesh(t)
			m.both(program)
			var made, open atomic.Int64
			server := &http.Server{
				Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
				ConnState: func(_ net.Conn, state http.ConnState) {
					switch state {
					case http.StateNew:
						made.Add(1)
						open.Add(1)
					case http.StateClosed, http.StateHijacked:
						open.Add(-1)
					}
				},
			}
			l := listen(t, m.otherPod, "[::]:8080")
			go server.Serve(l)
			t.Cleanup(func() { server.Close() })
			c := client(m.pipyPod)
			for range 5 {
				if err := get(c, "http://"+net.JoinHostPort(otherAddress, "8080")+"/"); err != nil {
					t.Fatal(err)
				}
			}
			testkit.Eventually(t, "the application's connections end", func() bool { return made.Load() >= 5 && open.Load() == 0 })
		})
	}
}
