package sidecar

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"time"
)

// handshakeTimeout leaves a starved machine time: a client takes the handshake
// for done before the server does (RFC 8446, figure 1), and may call.
const handshakeTimeout = 30 * time.Second

// peerConn is a verified peer's connection, of which the first bytes were read.
type peerConn struct {
	net.Conn
	rest io.Reader
	// id is the SPIFFE ID of the peer.
	id string
	// application is where its requests go; nil if each says that itself.
	application *upstream
	// strict lets its requests through; nil if its first bytes told that they are.
	strict *strictReader
	// answered is called with each answer of an application whose port is not
	// declared HTTP; nil if it is.
	answered func()
}

// Read implements net.Conn.
func (c *peerConn) Read(p []byte) (int, error) { return c.rest.Read(p) }

// Close implements net.Conn.
func (c *peerConn) Close() error {
	if c.application != nil {
		c.application.close()
	}
	return c.Conn.Close()
}

// takePeer returns what serves the connections of peers: it verifies them, and
// hands their HTTP to the server whose listener is given. Everything else it
// carries itself.
func (s *Sidecar) takePeer(requests *handover) func(context.Context, net.Conn) {
	return func(ctx context.Context, raw net.Conn) {
		asked, err := s.inboundDestination(raw)
		if err != nil {
			s.options.Logger.Warn("refused a connection", "from", raw.RemoteAddr(), "error", err)
			reset(raw)
			return
		}
		over := s.connections.track(raw)
		conn := tls.Server(over, s.ServerTLS(nil))
		if err := shakeHands(ctx, conn); err != nil {
			s.options.Logger.Info("cannot accept a peer", "from", raw.RemoteAddr(), "error", err)
			raw.Close() // the handshake's error says more
			return
		}
		s.connections.add(over, conn)
		s.counters.inbound.Add(1)
		peer := &peerConn{Conn: conn, rest: conn, id: conn.ConnectionState().PeerCertificates[0].URIs[0].String()}
		if !s.isIntercepted() {
			in := &strictReader{Reader: conn}
			peer.rest, peer.strict = in, in
			requests.give(ctx, peer)
			return
		}
		if err := s.carry(ctx, peer, asked, requests); err != nil {
			s.options.Logger.Info("a peer's connection broke", "peer", peer.id, "port", asked.Port(), "error", err)
		}
	}
}

func shakeHands(ctx context.Context, conn *tls.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	return conn.HandshakeContext(ctx)
}
