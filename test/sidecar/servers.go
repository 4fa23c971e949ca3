package sidecar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/osm-edge/osm/injector"
)

const (
	headerTimeout   = 10 * time.Second
	shutdownTimeout = 5 * time.Second
)

// service is what works on a listener until its context ends.
type service interface{ run(context.Context) error }

// services opens the listeners that have an address, all or none.
func (s *Sidecar) services() ([]service, error) {
	b, byName := s.options.Bootstrap, map[string]injector.Listener{}
	byName["inbound"], byName["outbound"] = b.Inbound, b.Outbound
	plain := map[string]http.Handler{"admin": s.admin(), "readiness": s.readiness(), "metrics": s.metrics()}
	byName["admin"], byName["readiness"], byName["metrics"] = b.Admin, b.Readiness, b.Metrics
	for _, probe := range b.Probes {
		if probe.Port != portOn(b.Readiness) {
			port := strconv.Itoa(int(probe.Port))
			byName["probes "+port], plain["probes "+port] = injector.Listener{Listen: []string{":" + port}}, s.probes(probe.Port)
		}
	}
	var open []net.Listener
	var services []service
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		listeners, err := s.listen(name, byName[name].Listen)
		if err != nil {
			closeAll(open)
			return nil, err
		}
		open = append(open, listeners...)
		for _, listener := range listeners {
			services = append(services, s.serve(name, listener, plain[name])...)
		}
	}
	return services, nil
}

// serve is plain HTTP where there is a handler for it.
func (s *Sidecar) serve(name string, listener net.Listener, plain http.Handler) []service {
	if plain != nil {
		return []service{&server{name, listener, s.plainServer(plain)}}
	}
	requests := newHandover(listener.Addr())
	if name == "inbound" {
		return []service{&door{name, listener, s.takePeer(requests)}, &server{name, requests, s.inbound()}}
	}
	return []service{&door{name, listener, s.takeApplication(requests)}, &server{name, requests, s.plainServer(s.outbound())}}
}

func (s *Sidecar) plainServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          slog.NewLogLogger(s.options.Logger.Handler(), slog.LevelWarn),
	}
}

// server is HTTP on a listener.
type server struct {
	name     string
	listener net.Listener
	http     *http.Server
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
