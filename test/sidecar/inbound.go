package sidecar

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"
)

// peerHeader tells the application who calls. Only this sidecar may write it.
const peerHeader = "x-forwarded-client-cert"

// inbound hands requests of verified peers to the application.
func (s *Sidecar) inbound() http.Handler {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme = "http"
			r.Out.URL.Host = s.application(r.In.Host)
			r.Out.Host = r.In.Host
			r.Out.Header.Set(peerHeader, "URI="+r.In.TLS.PeerCertificates[0].URIs[0].String())
		},
		Transport:    &http.Transport{IdleConnTimeout: time.Minute},
		ErrorHandler: s.unreachable,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.isOwn(portOf(s.application(r.Host))) {
			http.Error(w, "that port is the sidecar's own", http.StatusForbidden)
			return
		}
		s.counters.inbound.Add(1)
		proxy.ServeHTTP(w, r)
	})
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
