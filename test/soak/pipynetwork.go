package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/osm-edge/osm/test/mesh"
)

// tellCaller is the application behind Pipys.
func tellCaller(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, r.Header["X-Forwarded-Client-Cert"])
}

// relaySDS connects with osm-controller as the cluster's network would.
func (s *soak) relaySDS(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return // it was closed
		}
		go func() {
			defer conn.Close()
			far, err := s.cluster.Dial(context.Background(), "tcp", "osm-controller."+mesh.Namespace+".svc:15128")
			if err != nil {
				return // Pipy tries again
			}
			defer far.Close()
			go func() {
				io.Copy(far, conn)
				far.Close()
			}()
			io.Copy(conn, far)
		}()
	}
}
