package component

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/osm-edge/osm/webhook"
)

const (
	opsPort         = 9091
	shutdownTimeout = 5 * time.Second
)

// NewRegistry returns a registry that holds the metrics of the process.
func NewRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return r
}

// OpsServer serves /metrics, /healthz, /readyz and /version on port 9091, in
// plain HTTP: none of it is secret.
type OpsServer struct {
	Options *Options
	// Component is the daemon's name, a label of its metrics.
	Component string
	Registry  *prometheus.Registry
	// Ready returns why the daemon is not ready, or nil.
	Ready func() error
	// Warnings returns what is wrong though it may be ready, a line each: what
	// every replica suffers from alike, say, so that to take them all out of
	// their Service would add to it. None when nil.
	Warnings func() []string
}

// Run serves until ctx ends.
func (s *OpsServer) Run(ctx context.Context) error {
	address := s.Options.Listen(opsPort)
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("serve metrics and health on %s: %w", address, err)
	}
	return s.serve(ctx, listener)
}

// serve closes the listener.
func (s *OpsServer) serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	served := make(chan error, 1)
	// Any client that reaches the port may connect, and each connection takes 14 kB.
	go func() { served <- server.Serve(webhook.LimitConnections(server, listener)) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve metrics and health on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := server.Shutdown(ctx)
	<-served
	if errors.Is(err, context.DeadlineExceeded) {
		return server.Close()
	}
	return err
}

// Handler answers what Run serves. It registers the state of the daemon with the Registry, so it is called once.
func (s *OpsServer) Handler() http.Handler {
	s.registerState()
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.Registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]string{"version": Version(), "go": runtime.Version()})
	})
	return mux
}

func (s *OpsServer) readyz(w http.ResponseWriter, _ *http.Request) {
	var warnings strings.Builder
	if s.Warnings != nil {
		for _, warning := range s.Warnings() {
			warnings.WriteString("\nwarning: " + strings.Join(strings.Fields(warning), " "))
		}
	}
	if err := s.Ready(); err != nil {
		http.Error(w, err.Error()+warnings.String(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok"+warnings.String())
}
