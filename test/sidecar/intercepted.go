package sidecar

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
)

// takeApplication returns what serves the connections of the pod itself. Where
// the kernel leads them here, they go on by mutual TLS to where they were going,
// and never go on without. Elsewhere they ask the server whose listener is given.
func (s *Sidecar) takeApplication(requests *handover) func(context.Context, net.Conn) {
	return func(ctx context.Context, conn net.Conn) {
		if !s.isIntercepted() {
			requests.give(ctx, conn)
			return
		}
		asked, err := s.outboundDestination(conn)
		if err != nil {
			s.options.Logger.Warn("refused a connection of the application", "error", err)
			reset(conn)
			return
		}
		peer, err := s.dialMember(ctx, asked)
		if err != nil {
			s.options.Logger.Warn("cannot carry a connection of the application", "to", asked, "error", err)
			reset(conn)
			return
		}
		if err := newRelay(ctx, conn, peer).run(conn, peer); err != nil {
			s.options.Logger.Info("a connection of the application broke", "to", asked, "error", err)
		}
	}
}

// dialMember connects by mutual TLS to one of those who may be there.
func (s *Sidecar) dialMember(ctx context.Context, address netip.AddrPort) (*tls.Conn, error) {
	if !s.State().Ready() {
		return nil, errNotReady
	}
	expected, err := s.peers.at(ctx, address.Addr().Unmap())
	if err != nil {
		return nil, err
	}
	config, err := s.memberTLS(expected)
	if err != nil {
		return nil, err
	}
	dialing, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	raw, err := s.options.Dial(dialing, address.String())
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	return s.secure(ctx, raw, config, "a peer of the mesh at "+address.String())
}

// memberTLS takes the identities that are expected. There is no name to verify,
// for an address proves none: what is verified is the chain and the SPIFFE ID
// (X.509-SVID, section 5). Certificate and bundle are those of now.
func (s *Sidecar) memberTLS(expected []spiffeid.ID) (*tls.Config, error) {
	state := s.State()
	if !state.Ready() {
		return nil, errNotReady
	}
	bundle := x509bundle.FromX509Authorities(s.trustDomain, state.bundle.Roots())
	config := tlsconfig.TLSClientConfig(bundle, tlsconfig.AuthorizeOneOf(expected...))
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return state.certificate, nil }
	verify := config.VerifyPeerCertificate
	config.VerifyPeerCertificate = func(raw [][]byte, _ [][]*x509.Certificate) error {
		err := verify(raw, nil)
		if err != nil {
			s.counters.denied.Add(1)
		}
		return err
	}
	return config, nil
}
