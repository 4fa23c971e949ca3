package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"time"

	"google.golang.org/grpc"
	healthgrpc "google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

func serveHTTP(ctx context.Context, h *health, prefix string) error { return serve(ctx, prefix+"1", h) }

// serveHTTPS has an untrusted certificate, as the kubelet verifies none.
func serveHTTPS(ctx context.Context, h *health, prefix string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	listener, err := tls.Listen("tcp", prefix+"1", &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
	})
	if err != nil {
		return err
	}
	return serveOn(ctx, listener, h)
}

// serveGRPC has a service for each aspect.
func serveGRPC(ctx context.Context, h *health, prefix string) error {
	listener, err := net.Listen("tcp", prefix+"1")
	if err != nil {
		return err
	}
	services := healthgrpc.NewServer()
	h.follow(func(aspect string, good bool) {
		status := healthpb.HealthCheckResponse_NOT_SERVING
		if good {
			status = healthpb.HealthCheckResponse_SERVING
		}
		services.SetServingStatus(aspect, status)
	})
	server := grpc.NewServer()
	healthpb.RegisterHealthServer(server, services)
	stop := context.AfterFunc(ctx, server.Stop)
	defer stop()
	return server.Serve(listener)
}

// serveTCP has a port for each aspect, which is open while it is good.
func serveTCP(ctx context.Context, h *health, prefix string) error {
	failed := make(chan error, len(aspects))
	open := map[string]net.Listener{}
	ports := map[string]string{"startup": "1", "readiness": "2", "liveness": "3"}
	h.follow(func(aspect string, good bool) {
		var err error
		switch listener, is := open[aspect]; {
		case good && !is:
			if open[aspect], err = net.Listen("tcp", prefix+ports[aspect]); err == nil {
				go welcome(open[aspect])
			}
		case !good && is:
			err = listener.Close()
			delete(open, aspect)
		}
		if err != nil {
			failed <- err
		}
	})
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil // and the process ends, which closes what is open
	}
}

// welcome takes connections until the listener is closed.
func welcome(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		if conn.Close() != nil {
			return
		}
	}
}
