// Package page serves what a replica of osm-controller tells of itself: as a
// page for people and as JSON for programs. It only reads. It knows the document
// alone, and not where that comes from.
//
// The page is built as a tree of nodes, which escapes by itself. html/template
// would do so as well, and keep every method of every type in the binary, which
// would be twice as large.
package page

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/osm-edge/osm/cmd/internal/status"
)

const shutdownTimeout = 5 * time.Second

// Server serves plain HTTP on status.Port.
type Server struct {
	// BindAddress is the address to listen on; 127.0.0.1 when empty, so that only
	// who may forward ports to the pod gets here.
	BindAddress string
	// Report returns what there is to tell.
	Report func() status.Report
}

// Run serves until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	host := s.BindAddress
	if host == "" {
		host = "127.0.0.1"
	}
	server := &http.Server{
		Addr:              net.JoinHostPort(host, strconv.Itoa(status.Port)),
		Handler:           s.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	served := make(chan error, 1)
	go func() { served <- server.ListenAndServe() }()
	select {
	case err := <-served:
		return fmt.Errorf("serve the status on %s: %w", server.Addr, err)
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := server.Shutdown(ctx)
	_ = <-served
	if errors.Is(err, context.DeadlineExceeded) {
		return server.Close()
	}
	return err
}
