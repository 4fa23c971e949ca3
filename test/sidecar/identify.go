package sidecar

import (
	"net/http"
	"net/http/httputil"
	"strings"
)

// peerHeader tells the application who calls. Only this sidecar may write it.
const peerHeader = "X-Forwarded-Client-Cert"

// identify says who calls, once, and undoes what httputil does to headers of
// proxies that this one is none of.
func identify(r *httputil.ProxyRequest, peer string) {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if values, ok := r.In.Header[name]; ok {
			r.Out.Header[name] = values
		}
	}
	dropPeer(r.Out.Header)
	dropPeer(r.Out.Trailer)
	r.Out.Header.Set(peerHeader, "URI="+peer)
	if leadsToHTTP(r.In.Header.Values("Upgrade")) {
		for _, name := range []string{"Connection", "Upgrade", "Http2-Settings"} {
			r.Out.Header.Del(name)
		}
	}
}

// dropPeer removes the header as applications may know it.
func dropPeer(header http.Header) {
	for name := range header {
		if isPeerHeader(name) {
			delete(header, name)
		}
	}
}

// leadsToHTTP reports whether more requests would follow the upgrade, unseen
// here: of the registered protocols, HTTP, TLS (RFC 2817) and h2c, which a
// server may take no notice of (RFC 9113, section 3.1); and SPDY.
func leadsToHTTP(upgrade []string) bool {
	for protocol := range strings.SplitSeq(strings.Join(upgrade, ","), ",") {
		name, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(protocol)), "/")
		if name == "http" || name == "tls" || name == "h2c" || name == "h2" || name == "spdy" {
			return true
		}
	}
	return false
}
