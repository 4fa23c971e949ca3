package sds

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	secretv3 "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/experimental"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// handshakeTimeout bounds what a client that proved nothing yet may hold.
	handshakeTimeout = 10 * time.Second
	// idleTimeout ends connections that open no stream.
	idleTimeout = time.Minute
	// pingInterval keeps connections open through whatever drops silent ones,
	// and finds those whose other end is gone.
	pingInterval = 30 * time.Second
	pingTimeout  = 20 * time.Second
	// ageGrace is what streams have left when their connection is too old.
	ageGrace = 10 * time.Second
	// leaveTime is how long it takes until the last stream is sent away.
	leaveTime = 2 * time.Second
	// drainTimeout bounds a graceful stop. Streams end at once; what is waited
	// for is their last bytes.
	drainTimeout = 5 * time.Second

	// Names, nonces and versions: a request is a few hundred bytes, and 48 for
	// each address.
	maxRequestBytes = 64 << 10
	maxHeaderBytes  = 16 << 10
	// windowBytes is what a stream, and a connection, may send ahead of what is
	// read. It is the least that HTTP/2 begins with, and stays: gRPC would
	// have it grow to 16 MiB for who sends fast.
	windowBytes = 64<<10 - 1
	// maxStreams is what a pod may have at a time, and maxConnStreams a connection:
	// gRPC holds a window of each, whatever that of the connection is.
	maxStreams     = 8
	maxConnStreams = 4
	// writeBufferBytes is held while a response is written: room for one.
	writeBufferBytes = 8 << 10
)

// Options configures a Server.
type Options struct {
	// Listener is where proxies connect. The Server closes it. Needed.
	Listener net.Listener
	// Source announces certificates. Needed.
	Source Source
	// Attestor finds out who asks. Needed.
	Attestor Attestor
	// Destinations tells who may answer at an address; when nil, no proxy may ask.
	Destinations Destinations
	// HTTPPorts tells which ports of a pod are declared HTTP; when nil, no proxy
	// may ask.
	HTTPPorts HTTPPorts
	// Acknowledgements gets who trusts which bundle; nil discards it.
	Acknowledgements Acknowledgements
	// ClockSkew is how far clocks of the mesh may be apart: for that long from its
	// begin a certificate is held back from a proxy that brings along another which
	// is valid. None is when zero.
	ClockSkew time.Duration
	// GetCertificate returns the server's own certificate. Needed.
	GetCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// MaxConnectionAge is how long a connection lasts before its proxy must
	// connect anew, and with it how long a token's attestation counts. It varies
	// by a tenth. One hour when zero, which is what the kubelet's tokens live.
	MaxConnectionAge time.Duration
	// Limits bound what is held for proxies.
	Limits Limits
	// Metrics counts what is served; nothing is counted when nil.
	Metrics *Metrics
	// Logger gets refusals and NACKs; slog.Default when nil.
	Logger *slog.Logger
}

// Server is the secret discovery service.
type Server struct {
	secretv3.UnimplementedSecretDiscoveryServiceServer

	options  Options
	door     *door
	warnings *sparing
	grpc     *grpc.Server
	draining chan struct{}                 // closed when streams have to end
	drained  atomic.Pointer[chan struct{}] // closed when those that are open now have to
	streams  streams
	refused  refused
}

// New returns a Server that serves once Run runs.
func New(o Options) (*Server, error) {
	if o.Listener == nil || o.Source == nil || o.Attestor == nil || o.GetCertificate == nil {
		return nil, errors.New("an SDS server needs a listener, a source, an attestor and a certificate")
	}
	if o.MaxConnectionAge == 0 {
		o.MaxConnectionAge = time.Hour
	}
	if o.Metrics == nil {
		o.Metrics = newMetrics()
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	warnings := newSparing(o.Logger.Handler())
	o.Logger, o.Limits = slog.New(warnings), o.Limits.withDefaults()
	s := &Server{options: o, warnings: warnings, draining: make(chan struct{})}
	s.streams = streams{limits: o.Limits, pods: map[types.UID]*podStreams{}}
	s.door = newDoor(o.Listener, o.Limits, func(reason Reason, address net.Addr, message string) {
		s.refuse(&Refusal{Reason: reason, Message: message}, address)
	})
	s.drained.Store(new(make(chan struct{})))
	s.grpc = grpc.NewServer(
		grpc.Creds(counted{credentials.NewTLS(&tls.Config{
			MinVersion:             tls.VersionTLS13,
			GetCertificate:         o.GetCertificate,
			SessionTicketsDisabled: true, // a resumed session would outlive its certificate
		})}),
		grpc.InTapHandle(s.door.opening),
		grpc.ForceServerCodecV2(newCodec()),
		experimental.BufferPool(mem.NopBufferPool{}), // whose buffers are as long as what is in them
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionIdle:     idleTimeout,
			MaxConnectionAge:      o.MaxConnectionAge,
			MaxConnectionAgeGrace: ageGrace,
			Time:                  pingInterval,
			Timeout:               pingTimeout,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingInterval / 3, PermitWithoutStream: true}),
		grpc.MaxConcurrentStreams(maxConnStreams),
		grpc.MaxRecvMsgSize(maxRequestBytes),
		grpc.StaticStreamWindowSize(windowBytes),
		grpc.StaticConnWindowSize(windowBytes),
		grpc.MaxHeaderListSize(maxHeaderBytes),
		grpc.HeaderTableSize(0),
		grpc.ReadBufferSize(0),
		grpc.WriteBufferSize(writeBufferBytes),
		grpc.WaitForHandlers(true),
	)
	secretv3.RegisterSecretDiscoveryServiceServer(s.grpc, s)
	return s, nil
}

// Run serves until ctx ends, then ends all streams, and waits for them for a
// few seconds at most. It runs once.
func (s *Server) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := s.grpc.Serve(s.door); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			return fmt.Errorf("serve SDS on %s: %w", s.options.Listener.Addr(), err)
		}
		return nil
	})
	group.Go(func() error {
		s.recheck(ctx)
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		close(s.draining)
		force := time.AfterFunc(drainTimeout, s.grpc.Stop)
		defer force.Stop()
		s.grpc.GracefulStop()
		return nil
	})
	return group.Wait()
}

// Drain ends the streams that are open, within seconds, and goes on to accept
// others: their proxies connect anew, to another replica if there is one.
func (s *Server) Drain() { close(*s.drained.Swap(new(make(chan struct{})))) }

// StreamSecrets implements the state-of-the-world protocol.
func (s *Server) StreamSecrets(stream secretv3.SecretDiscoveryService_StreamSecretsServer) error {
	return s.finish(stream.Context(), serve(s, stream, newSotW))
}

// DeltaSecrets implements the incremental protocol.
func (s *Server) DeltaSecrets(stream secretv3.SecretDiscoveryService_DeltaSecretsServer) error {
	return s.finish(stream.Context(), serve(s, stream, newDelta))
}
