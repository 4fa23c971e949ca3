package cluster

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
)

// The protocol of kubectl port-forward between the API server and a kubelet, as k8s.io/api and k8s.io/client-go name its
// parts: for each connection one stream for errors and one for data, which have a request's ID in common.
const (
	portForwardProtocol = "portforward.k8s.io"
	portForwardIdle     = 4 * time.Hour
)

// servePortForward upgrades the request and hands each data stream, with the port that it is for, to forward, until the
// client hangs up. What forward returns goes to the error stream.
func servePortForward(w http.ResponseWriter, r *http.Request, forward func(port string, data io.ReadWriteCloser) error) {
	if _, err := httpstream.Handshake(r, w, []string{portForwardProtocol}); err != nil {
		return // Handshake has answered
	}
	streams, done := make(chan httpstream.Stream), make(chan struct{})
	defer close(done)
	conn := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(stream httpstream.Stream, _ <-chan struct{}) error {
		select {
		case streams <- stream:
		case <-done:
		}
		return nil
	})
	if conn == nil {
		return // UpgradeResponse has answered
	}
	defer conn.Close()
	conn.SetIdleTimeout(portForwardIdle)
	var connections sync.WaitGroup
	defer connections.Wait()
	pairs := map[string]httpstream.Stream{}
	for {
		select {
		case <-conn.CloseChan():
			return
		case stream := <-streams:
			id := stream.Headers().Get("requestID")
			other, ok := pairs[id]
			if !ok {
				pairs[id] = stream
				continue
			}
			delete(pairs, id)
			data, errors := other, stream
			if stream.Headers().Get("streamType") == "data" {
				data, errors = stream, other
			}
			connections.Go(func() {
				defer conn.RemoveStreams(data, errors)
				defer errors.Close()
				defer data.Close()
				if err := forward(data.Headers().Get("port"), data); err != nil {
					fmt.Fprint(errors, err)
				}
			})
		}
	}
}
