package sidecar

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/osm-edge/osm/issuer/identity"
)

// PeerHeader is where the application says which SPIFFE ID it means to call.
// Without it a request is refused: a name or an address proves nothing.
const PeerHeader = "x-osm-peer"

// outbound carries the application's requests to the sidecar of the host that
// they name. Every request has a connection of its own, and with it the
// certificate and the bundle of its time.
func (s *Sidecar) outbound() http.Handler {
	inbound := strconv.Itoa(int(portOn(s.options.Bootstrap.Inbound))) // of every sidecar in the mesh
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, err := ParseIdentity(r.Header.Get(PeerHeader))
		if err != nil {
			http.Error(w, fmt.Sprintf("name the SPIFFE ID to call in the header %s: %v", PeerHeader, err), http.StatusBadRequest)
			return
		}
		proxy := &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) {
				r.Out.URL.Scheme = "https"
				r.Out.URL.Host = net.JoinHostPort((&url.URL{Host: r.In.Host}).Hostname(), inbound)
				r.Out.Host = r.In.Host
				r.Out.Header.Del(PeerHeader)
			},
			Transport:    s.towards(peer),
			ErrorHandler: s.unreachable,
		}
		proxy.ServeHTTP(w, r)
	})
}

func (s *Sidecar) towards(peer identity.Identity) http.RoundTripper {
	return &http.Transport{
		DisableKeepAlives:  true,
		DisableCompression: true,
		DialTLSContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			return s.DialPeer(ctx, address, peer)
		},
	}
}

// DialPeer connects to the address by mutual TLS, if the peer is there.
func (s *Sidecar) DialPeer(ctx context.Context, address string, peer identity.Identity) (*tls.Conn, error) {
	config, err := s.ClientTLS(peer)
	if err != nil {
		return nil, err
	}
	raw, err := s.options.Dial(ctx, address)
	if err != nil {
		return nil, err
	}
	return s.secure(ctx, raw, config, fmt.Sprintf("%s at %s", peer, address))
}

// secure ends with a connection to a verified peer or with none.
func (s *Sidecar) secure(ctx context.Context, raw net.Conn, config *tls.Config, peer string) (*tls.Conn, error) {
	over := s.connections.track(raw)
	conn := tls.Client(over, config)
	if err := shakeHands(ctx, conn); err != nil {
		raw.Close() // the handshake's error says more
		return nil, fmt.Errorf("mutual TLS with %s: %w", peer, err)
	}
	s.connections.add(over, conn)
	s.counters.outbound.Add(1)
	return conn, nil
}

// ParseIdentity reads spiffe://<trust domain>/ns/<namespace>/sa/<account>.
func ParseIdentity(uri string) (identity.Identity, error) {
	id, err := spiffeid.FromString(uri)
	if err != nil {
		return identity.Identity{}, err
	}
	parts := strings.Split(id.Path(), "/")
	if len(parts) != 5 || parts[1] != "ns" || parts[3] != "sa" {
		return identity.Identity{}, fmt.Errorf("%s is not the SPIFFE ID of a service account", id)
	}
	return identity.New(id.TrustDomain().Name(), parts[2], parts[4])
}
