package sidecar

import (
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/osm-edge/osm/issuer/identity"
)

// errNotReady is what handshakes fail with before there are secrets.
var errNotReady = errors.New("the sidecar has no valid certificate and bundle")

// ClientTLS returns what it takes to call the peer alone: the
// sidecar's certificate and bundle as they are now, so ask for each connection
// anew. The peer's name is verified by its DNS SAN, and its SPIFFE ID exactly.
func (s *Sidecar) ClientTLS(peer identity.Identity) (*tls.Config, error) {
	state := s.State()
	if !state.Ready() {
		return nil, errNotReady
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		ServerName: peer.CommonName(),
		RootCAs:    state.bundle.Pool(),
		// Whatever roots the peer names: it is the one to refuse.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return state.certificate, nil },
		VerifyConnection: func(c tls.ConnectionState) error {
			err := verifyIdentity(c.PeerCertificates, peer.SPIFFEID().String())
			if err != nil {
				s.counters.denied.Add(1)
			}
			return err
		},
	}, nil
}

// ServerTLS returns a config that accepts peers of the trust domain whom
// authorize lets in; all of them when it is nil. Each connection is served with
// the certificate and the bundle of its time.
func (s *Sidecar) ServerTLS(authorize func(spiffeid.ID) error) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			state := s.State()
			if !state.Ready() {
				return nil, errNotReady
			}
			return &tls.Config{
				MinVersion:             tls.VersionTLS12,
				NextProtos:             []string{"h2", "http/1.1"},
				Certificates:           []tls.Certificate{*state.certificate},
				ClientAuth:             tls.RequireAndVerifyClientCert,
				ClientCAs:              state.bundle.Pool(),
				SessionTicketsDisabled: true, // a resumed session would outlive its certificate
				VerifyConnection:       s.admit(authorize),
			}, nil
		},
	}
}

// admit checks who it is that crypto/tls has verified.
func (s *Sidecar) admit(authorize func(spiffeid.ID) error) func(tls.ConnectionState) error {
	return func(c tls.ConnectionState) error {
		id, err := identityOf(c.PeerCertificates[0]) // crypto/tls requires one
		if err == nil && !id.MemberOf(s.trustDomain) {
			err = fmt.Errorf("%s is not of trust domain %s", id, s.trustDomain)
		}
		if err == nil && authorize != nil {
			err = authorize(id)
		}
		if err != nil {
			s.counters.denied.Add(1)
			s.options.Logger.Warn("denied a peer", "error", err)
		}
		return err
	}
}
