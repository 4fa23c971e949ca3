package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"golang.org/x/sys/unix"

	"github.com/osm-edge/osm/issuer/identity"
)

const handshakeTimeout = 30 * time.Second

// shakeHands makes a mutual TLS connection between two proxies, as they are at
// its start, and sends a byte each way. The error says at which step it failed.
func shakeHands(client, server *view) error {
	near, far, err := socketPair()
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() {
		served <- serve(tls.Server(far, serverConfig(server, client.of.identity)))
		far.Close()
	}()
	err = call(tls.Client(near, clientConfig(client, server.of.identity)))
	near.Close()
	return errors.Join(err, <-served)
}

// socketPair returns both ends of a connection that has buffers. With net.Pipe,
// two that both speak, one of them to refuse, would wait for each other.
func socketPair() (near, far net.Conn, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	if near, err = connOf(fds[0]); err != nil {
		return nil, nil, errors.Join(err, unix.Close(fds[1]))
	}
	if far, err = connOf(fds[1]); err != nil {
		return nil, nil, errors.Join(err, near.Close())
	}
	return near, far, nil
}

func connOf(fd int) (net.Conn, error) {
	file := os.NewFile(uintptr(fd), "handshake")
	defer file.Close() // the connection has a copy
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, err
	}
	return conn, conn.SetDeadline(time.Now().Add(handshakeTimeout))
}

func call(conn *tls.Conn) error {
	if err := conn.Handshake(); err != nil {
		return fmt.Errorf("client's handshake: %w", err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		return fmt.Errorf("client's read: %w", err)
	}
	if _, err := conn.Write([]byte{1}); err != nil {
		return fmt.Errorf("client's write: %w", err)
	}
	return nil
}

// serve speaks first: a client has no other way to learn that it was accepted
// (RFC 8446, section 4.4.4).
func serve(conn *tls.Conn) error {
	if err := conn.Handshake(); err != nil {
		return fmt.Errorf("server's handshake: %w", err)
	}
	if _, err := conn.Write([]byte{1}); err != nil {
		return fmt.Errorf("server's write: %w", err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		return fmt.Errorf("server's read: %w", err)
	}
	return nil
}

// config is what both sides have in common. Another key exchange than the
// cheapest would only cost time: the certificates do not depend on it.
func config(peer identity.Identity) *tls.Config {
	return &tls.Config{
		MinVersion:       tls.VersionTLS13,
		CurvePreferences: []tls.CurveID{tls.X25519},
		VerifyConnection: func(c tls.ConnectionState) error { return verifyIdentity(c.PeerCertificates[0], peer) },
	}
}

func clientConfig(own *view, peer identity.Identity) *tls.Config {
	c := config(peer)
	c.ServerName, c.RootCAs = peer.CommonName(), own.pool
	// Whatever roots the peer names: it is the one to refuse.
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return own.certificate, nil }
	return c
}

func serverConfig(own *view, peer identity.Identity) *tls.Config {
	c := config(peer)
	c.Certificates = []tls.Certificate{*own.certificate}
	c.ClientAuth, c.ClientCAs, c.SessionTicketsDisabled = tls.RequireAndVerifyClientCert, own.pool, true
	return c
}

// wrongIdentity is the error of a peer that is another than was meant.
type wrongIdentity struct{ error }

// verifyIdentity is for chains that crypto/tls has verified.
func verifyIdentity(leaf *x509.Certificate, want identity.Identity) error {
	id, err := x509svid.IDFromCert(leaf)
	if err == nil && id != want.SPIFFEID() {
		err = wrongIdentity{fmt.Errorf("the peer is %s, not %s", id, want.SPIFFEID())}
	}
	return err
}
