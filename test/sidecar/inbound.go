package sidecar

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"
)

type peerKey struct{}

// inbound serves the HTTP of verified peers, HTTP/2 with prior knowledge
// included (RFC 9113, section 3.3): what TLS there was is off already.
func (s *Sidecar) inbound() *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	byHost := &http.Transport{IdleConnTimeout: time.Minute, DisableCompression: true}
	return &http.Server{
		Handler:           s.toApplication(byHost),
		Protocols:         &protocols,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		// "OPTIONS *" is the application's to answer.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(s.options.Logger.Handler(), slog.LevelWarn),
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, peerKey{}, conn.(*closing).Conn)
		},
	}
}

// toApplication passes requests on to where they are for.
func (s *Sidecar) toApplication(byHost *http.Transport) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer := r.Context().Value(peerKey{}).(*peerConn)
		transport, host := byHost, s.application(r.Host)
		if peer.application != nil {
			transport, host = peer.application.transport, peer.application.asked.String()
		}
		switch {
		case r.Method == "PRI":
			http.Error(w, "half of the preface of HTTP/2", http.StatusBadRequest)
			return
		case r.Method == http.MethodConnect:
			http.Error(w, "the sidecar passes on no CONNECT: what goes through a tunnel has no verified sender", http.StatusNotImplemented)
			return
		case s.isOwn(portOf(host)):
			http.Error(w, "that port is the sidecar's own", http.StatusForbidden)
			return
		}
		if r.ProtoMajor == 1 {
			// An application may answer before it has read all. Where that cannot
			// be had, the answer waits.
			_ = http.NewResponseController(w).EnableFullDuplex()
		}
		proxy := s.passOn(transport, host, peer)
		proxy.ServeHTTP(w, r)
	})
}

// passOn changes nothing of a request but who calls.
func (s *Sidecar) passOn(transport http.RoundTripper, host string, peer *peerConn) *httputil.ReverseProxy {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.URL.RawQuery = "http", host, r.In.URL.RawQuery
			r.Out.Host = r.In.Host
			identify(r, peer.id)
		},
		Transport:    transport,
		ErrorHandler: s.unreachable,
		ErrorLog:     slog.NewLogLogger(s.options.Logger.Handler(), slog.LevelWarn),
	}
	proxy.ModifyResponse = func(r *http.Response) error {
		if peer.answered != nil {
			peer.answered()
		}
		if r.StatusCode == http.StatusSwitchingProtocols && peer.strict != nil {
			peer.strict.upgraded.Store(true)
		}
		if r.ContentLength != 0 { // or else a gRPC answer of trailers alone is none any more
			proxy.FlushInterval = -1
		}
		return nil
	}
	return proxy
}

// application is where a request to that host goes in this pod.
func (s *Sidecar) application(host string) string {
	if s.options.Application != "" {
		return s.options.Application
	}
	port := (&url.URL{Host: host}).Port()
	if port == "" {
		port = "80"
	}
	return net.JoinHostPort("127.0.0.1", port)
}

func (s *Sidecar) unreachable(w http.ResponseWriter, r *http.Request, err error) {
	s.options.Logger.Warn("cannot forward a request", "host", r.Host, "error", err)
	http.Error(w, fmt.Sprintf("the sidecar cannot reach %s: %v", r.Host, err), http.StatusBadGateway)
}
