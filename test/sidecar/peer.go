package sidecar

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"
)

const (
	handshakeTimeout = 10 * time.Second
	// recognitionTimeout is how long the rest of a request line may take.
	recognitionTimeout = time.Second
)

// peerConn is a verified peer's connection, of which the first bytes were read.
type peerConn struct {
	net.Conn
	rest io.Reader
	// id is the SPIFFE ID of the peer.
	id string
	// application is where its requests go; nil if each says that itself.
	application *upstream
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
		asked, intercepted := s.destination(raw, s.options.Bootstrap.Inbound)
		conn := tls.Server(raw, s.ServerTLS(nil))
		if err := shakeHands(ctx, conn); err != nil {
			s.options.Logger.Info("cannot accept a peer", "from", raw.RemoteAddr(), "error", err)
			raw.Close() // the handshake's error says more
			return
		}
		s.counters.inbound.Add(1)
		peer := &peerConn{Conn: conn, rest: conn, id: conn.ConnectionState().PeerCertificates[0].URIs[0].String()}
		if !intercepted {
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

// carry connects the peer to the application before the peer has said anything,
// because the application may be the one to speak first.
func (s *Sidecar) carry(ctx context.Context, peer *peerConn, asked netip.AddrPort, requests *handover) error {
	application, err := s.dialApplication(ctx, asked)
	if err != nil {
		reset(peer.Conn)
		return fmt.Errorf("connect to the application: %w", err)
	}
	r := newRelay(ctx, peer.Conn, application)
	said := make(chan heard, 1)
	go func() {
		n, err := r.pass(r.client, r.server)
		said <- heard{n, err}
	}()
	begin, is, err := listenTo(peer.Conn)
	switch {
	case err != nil:
		r.abort()
		<-said
		return r.end(err)
	case is == hypertext:
		return s.handOver(ctx, r, said, begin, peer, asked, requests)
	}
	_, up := r.pass(application, io.MultiReader(bytes.NewReader(begin), &watched{Reader: peer.Conn, begin: begin, is: is}))
	return r.end(errors.Join(up, (<-said).err))
}

// heard is what an application has said.
type heard struct {
	bytes int64
	err   error
}

// listenTo returns what the peer says first, once it is known to be HTTP or not,
// or has taken too long for that.
func listenTo(peer net.Conn) ([]byte, protocol, error) {
	var begin []byte
	buffer := make([]byte, 4<<10)
	for is := undecided; ; {
		n, err := peer.Read(buffer)
		begin = append(begin, buffer[:n]...)
		if is = recognise(begin); is == undecided && err == nil {
			err = peer.SetReadDeadline(time.Now().Add(recognitionTimeout))
			if err == nil {
				continue
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) {
			err = nil
		}
		return begin, is, errors.Join(err, peer.SetReadDeadline(time.Time{}))
	}
}

// handOver has the HTTP server go on with the peer. An application that has
// spoken first speaks another protocol, and gets no requests that look verified.
func (s *Sidecar) handOver(ctx context.Context, r *relay, said chan heard, begin []byte, peer *peerConn, asked netip.AddrPort, requests *handover) error {
	err := r.server.SetReadDeadline(time.Unix(1, 0)) // long ago: it stops pass
	if first := <-said; err != nil || first.bytes != 0 || !errors.Is(first.err, os.ErrDeadlineExceeded) {
		r.abort()
		return r.end(errors.Join(errors.New("HTTP to an application that speaks first or has ended"), err, first.err))
	}
	if err := r.server.SetReadDeadline(time.Time{}); err != nil || !r.release() {
		r.abort()
		return r.end(err)
	}
	peer.rest = io.MultiReader(bytes.NewReader(begin), peer.Conn)
	peer.application = s.towardsApplication(r.server, asked, bytes.HasPrefix(begin, []byte("PRI ")))
	requests.give(ctx, peer)
	return nil
}
