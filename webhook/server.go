package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

const (
	// The API server gives a webhook at most 30 seconds (timeoutSeconds of
	// admissionregistration.k8s.io/v1), so nothing slower is worth serving.
	// The first bounds TLS handshakes, too: on a starved machine, they take
	// seconds.
	readHeaderTimeout = 15 * time.Second
	readTimeout       = 15 * time.Second
	writeTimeout      = 30 * time.Second
	// The API server keeps idle connections for 90 seconds. Closing them later
	// than it does spares it requests that meet a connection being closed.
	idleTimeout = 2 * time.Minute
	// What an API server sends is below 1 kB.
	maxHeaderBytes      = 8 << 10
	defaultDrainTimeout = 10 * time.Second
)

// CertificateSource gives the server its certificate anew at every handshake,
// so that a renewed one is served without a restart.
type CertificateSource interface {
	// GetCertificate is called from many goroutines at once. An error ends the
	// handshake: a server without a valid certificate must not answer.
	GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
}

// ServerOptions says what a Server serves, and where.
type ServerOptions struct {
	// Address is the host:port that Run listens on, such as ":9090".
	Address string
	// Certificates is asked at every handshake. Required.
	Certificates CertificateSource
	// Handlers by exact path, such as "/mutate-pod-creation". They see only
	// POST requests with a bounded JSON body. Required.
	Handlers map[string]http.Handler
	// Clients, if any, are the only ones that are answered. Default: anyone is.
	Clients *Clients
	// Linger is how long the server goes on once it is told to stop, for those
	// who still call it. Default: not at all.
	Linger time.Duration
	// DrainTimeout is how long requests in flight may take to end after that.
	// Default 10 seconds.
	DrainTimeout time.Duration
	// Logger gets the connection errors. Default: none are logged.
	Logger *slog.Logger
}

// Server answers webhook calls over TLS.
type Server struct {
	options ServerOptions
	handler http.Handler
}

// NewServer returns a Server that listens once it is run. It fails when the
// options lack a certificate source or a handler.
func NewServer(options ServerOptions) (*Server, error) {
	if options.Certificates == nil {
		return nil, errors.New("webhook server: no certificate source")
	}
	if len(options.Handlers) == 0 {
		return nil, errors.New("webhook server: no handlers")
	}
	if options.DrainTimeout == 0 {
		options.DrainTimeout = defaultDrainTimeout
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	mux := http.NewServeMux()
	for path, handler := range options.Handlers {
		mux.Handle(path, guard(handler))
	}
	return &Server{options: options, handler: mux}, nil
}

// Run listens on the address of the options and serves until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.options.Address)
	if err != nil {
		return fmt.Errorf("webhook server: listening on %s: %w", s.options.Address, err)
	}
	return s.Serve(ctx, listener)
}

// Serve serves on listener, which it closes, until ctx ends and the linger time
// is over; then it lets the requests in flight end within the drain timeout and
// returns nil.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	server := s.httpServer(ctx)
	served := make(chan error, 1)
	go func() { served <- server.ServeTLS(limitConnections(listener, maxConnections), "", "") }()
	select {
	case err := <-served:
		return fmt.Errorf("webhook server: serving on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	<-time.After(s.options.Linger)
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.options.DrainTimeout)
	defer cancel()
	err := server.Shutdown(drain)
	if err != nil {
		err = fmt.Errorf("webhook server: requests still running after %s were cut off: %w",
			s.options.DrainTimeout, errors.Join(err, server.Close()))
	}
	_ = <-served
	return err
}

func (s *Server) httpServer(ctx context.Context) *http.Server {
	// API servers call webhooks by HTTP/1.1 (Kubernetes, issue 75791). Each request
	// has a connection of its own then, and connections are counted.
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:           partingAfter(ctx, s.handler),
		Protocols:         protocols,
		ConnState:         observe,
		TLSConfig:         s.tlsConfig(),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.options.Logger.Handler(), slog.LevelWarn),
	}
}

func (s *Server) tlsConfig() *tls.Config {
	config := &tls.Config{
		// API servers of every supported version speak TLS 1.3, which is
		// then chosen; 1.2 is for those configured down to it.
		MinVersion:     tls.VersionTLS12,
		GetCertificate: s.options.Certificates.GetCertificate,
		NextProtos:     []string{"http/1.1"},
	}
	if clients := s.options.Clients; clients != nil {
		verified := config.Clone()
		config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return clients.demand(verified) }
	}
	return config
}

// partingAfter closes each connection with its next answer once ctx has ended,
// so that none is closed as a request comes: the API server does not repeat it.
func partingAfter(ctx context.Context, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ctx.Err() != nil {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
