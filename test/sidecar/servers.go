package sidecar

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
	headerTimeout   = 10 * time.Second
	shutdownTimeout = 5 * time.Second
)

// server is one of the sidecar's listeners with what it serves.
type server struct {
	name     string
	listener net.Listener
	http     *http.Server
}

// servers opens the listeners that have an address, all or none.
func (s *Sidecar) servers() ([]*server, error) {
	b := s.options.Bootstrap
	admin := s.admin()
	var open []*server
	for _, l := range []struct {
		name      string
		addresses []string
		handler   http.Handler
		tls       *tls.Config
	}{
		{"inbound", b.Inbound.Listen, s.inbound(), s.ServerTLS(nil)},
		{"outbound", b.Outbound.Listen, s.outbound(), nil},
		{"admin", b.Admin.Listen, admin, nil},
		{"readiness", b.Readiness.Listen, admin, nil},
	} {
		listeners, err := s.listen(l.name, l.addresses)
		if err != nil {
			for _, server := range open {
				server.listener.Close() // nobody has connected yet
			}
			return nil, err
		}
		for _, listener := range listeners {
			if l.tls != nil {
				listener = tls.NewListener(listener, l.tls)
			}
			open = append(open, &server{l.name, listener, &http.Server{
				Handler:           l.handler,
				ReadHeaderTimeout: headerTimeout,
				ErrorLog:          slog.NewLogLogger(s.options.Logger.Handler(), slog.LevelWarn),
			}})
		}
	}
	return open, nil
}

// run serves until ctx ends, and then lets requests finish for a while.
func (s *server) run(ctx context.Context) error {
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		if err := s.http.Shutdown(ctx); err != nil {
			err = s.http.Close()
			stopped <- err
			return
		}
		stopped <- nil
	})
	err := s.http.Serve(s.listener)
	if stop() || !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve on the %s listener: %w", s.name, err)
	}
	return <-stopped
}
