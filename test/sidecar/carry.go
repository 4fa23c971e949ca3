package sidecar

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// recognitionTimeout is how long the rest of a request line may take.
const recognitionTimeout = time.Second

// carry connects the peer to the application before the peer has said anything,
// because the application may be the one to speak first. What the peer says
// first decides who goes on: the HTTP server, or the relay byte by byte.
func (s *Sidecar) carry(ctx context.Context, peer *peerConn, asked netip.AddrPort, requests *handover) error {
	if s.isHTTP(asked.Port()) {
		return s.carryHTTP(ctx, peer, asked, requests)
	}
	application, err := s.dialApplication(ctx, asked)
	if err != nil {
		reset(peer.Conn)
		return fmt.Errorf("connect to the application: %w", err)
	}
	r := newRelay(ctx, peer.Conn, application)
	said := make(chan greeting, 1)
	go func() { said <- greet(r) }()
	begin, is, err := listenTo(peer.Conn)
	err = errors.Join(err, application.SetReadDeadline(time.Unix(1, 0))) // long ago: it stops greet
	first := <-said
	err = errors.Join(err, first.err, application.SetReadDeadline(time.Time{}))
	switch {
	case err == nil && is == hypertext && (first.passed != 0 || first.ended):
		err = errors.New("HTTP to an application that speaks another protocol first")
	case err == nil && is == hypertext && r.release():
		peer.rest = io.MultiReader(bytes.NewReader(begin), peer.Conn)
		peer.answered = sync.OnceFunc(func() { s.undeclared.add(asked.Port()) })
		peer.application = s.towardsApplication(&greeted{application, first.rest(application)}, asked, bytes.HasPrefix(begin, []byte("PRI ")))
		requests.give(ctx, peer)
		return nil
	case err == nil && is != hypertext:
		up := io.MultiReader(bytes.NewReader(begin), &late{Reader: peer.Conn, begin: begin, is: is})
		up = &watch{Reader: up, answers: &r.answers}
		if first.ended {
			_, err = r.pass(r.server, up)
			return r.end(err)
		}
		return r.run(up, first.rest(application))
	}
	r.abort()
	return r.end(err)
}

// carryHTTP hands a connection to the HTTP server, whatever it carries.
func (s *Sidecar) carryHTTP(ctx context.Context, peer *peerConn, asked netip.AddrPort, requests *handover) error {
	in := &strictReader{Reader: peer.Conn}
	begin := make([]byte, 4<<10)
	n, err := in.Read(begin)
	if err != nil {
		reset(peer.Conn)
		return err
	}
	in.through = append(begin[:n:n], in.through...)
	peer.rest, peer.strict = in, in
	peer.application = s.towardsApplication(nil, asked, in.isHTTP2)
	requests.give(ctx, peer)
	return nil
}

// listenTo returns what the peer says first, once it is known to be HTTP or not,
// or has taken too long for that.
func listenTo(peer net.Conn) ([]byte, protocol, error) {
	var begin []byte
	buffer := make([]byte, 4<<10)
	for {
		n, err := peer.Read(buffer)
		begin = append(begin, buffer[:n]...)
		is := recognise(begin)
		if is == undecided && err == nil {
			if err = peer.SetReadDeadline(time.Now().Add(recognitionTimeout)); err == nil {
				continue
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) {
			err = nil
		}
		return begin, is, errors.Join(err, peer.SetReadDeadline(time.Time{}))
	}
}

// greeted is a connection of which the first bytes were read.
type greeted struct {
	net.Conn
	rest io.Reader
}

// Read implements net.Conn.
func (g *greeted) Read(p []byte) (int, error) { return g.rest.Read(p) }
