package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/osm-edge/osm/issuer/identity"
)

// loadPipys makes handshakes with Pipys until ctx ends, and has them call others.
func (s *soak) loadPipys(ctx context.Context) error {
	for ctx.Err() == nil {
		if s.waiting.Load() {
			pass(ctx, retryPeriod)
		}
		p, q := s.pipys.all[rand.IntN(s.pipys.count())], s.pipys.all[rand.IntN(s.pipys.count())]
		client, _ := s.crowd.pair()
		if client.mute {
			continue
		}
		s.still.RLock()
		if s.waiting.Load() { // clocks have jumped just now
			s.still.RUnlock()
			continue
		}
		near, began := client.now(), time.Now()
		_, err := s.callPipy(near, p)
		took := time.Since(began)
		err2 := s.callThrough(p, q)
		s.still.RUnlock()
		if err != nil && s.behind.Load() && near.isNew() {
			s.tally.newcomers.Add(1)
			continue
		}
		s.tally.handshakes.Add(1)
		s.tally.pipy.Add(1)
		s.tally.requests.Add(1)
		if err != nil {
			s.tally.failHandshake(err, "%s, after %s\n  client %s\n  server is the Pipy of pod %s", err, took, near, p.pod.Name)
		}
		if err2 != nil {
			s.tally.failHandshake(err2, "the Pipy of pod %s calls that of %s: %s", p.pod.Name, q.pod.Name, err2)
		}
	}
	return nil
}

// callPipy makes a connection to the Pipy, on which the application behind it is
// told who calls.
func (s *soak) callPipy(near *view, p *pipy) (*tls.ConnectionState, error) {
	raw, err := net.DialTimeout("tcp", net.JoinHostPort(p.host, "15003"), handshakeTimeout)
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	if err := raw.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return nil, err
	}
	conn := tls.Client(raw, clientConfig(near, p.identity))
	if err := conn.Handshake(); err != nil {
		return nil, fmt.Errorf("client's handshake: %w", err)
	}
	state := conn.ConnectionState()
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", s.pipys.application.Addr())
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return &state, fmt.Errorf("client's read: %w", err)
	}
	return &state, checkCaller(response, near.of.identity)
}

// checkCaller looks at what the application was told.
func checkCaller(response *http.Response, want identity.Identity) error {
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d %q", response.StatusCode, body)
	}
	if told := "[URI=" + want.SPIFFEID().String() + "]"; string(body) != told {
		return wrongIdentity{fmt.Errorf("the application is told %s, not %s", body, told)}
	}
	return nil
}

// callThrough has the application of one Pipy call that of another.
func (s *soak) callThrough(p, q *pipy) error {
	_, port, err := net.SplitHostPort(s.pipys.application.Addr().String())
	if err != nil {
		return err
	}
	request, err := http.NewRequest(http.MethodGet, "http://"+net.JoinHostPort(p.host, "15001")+"/", nil)
	if err != nil {
		return err
	}
	request.Host = net.JoinHostPort(q.host, port)
	request.Header.Set("X-Osm-Peer", q.identity.SPIFFEID().String())
	client := &http.Client{Timeout: handshakeTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	return checkCaller(response, p.identity)
}

// pipysLeadTo reports whether every Pipy presents a certificate of the root.
func (s *soak) pipysLeadTo(root *x509.Certificate) bool {
	if s.pipys.count() == 0 {
		return true
	}
	client, _ := s.crowd.pair()
	for _, p := range s.pipys.all {
		state, err := s.callPipy(client.now(), p)
		if err != nil || state == nil {
			return false
		}
		presented := view{certificate: &tls.Certificate{Leaf: state.PeerCertificates[0]}}
		for _, c := range state.PeerCertificates {
			presented.certificate.Certificate = append(presented.certificate.Certificate, c.Raw)
		}
		if !presented.leadsTo(root) {
			return false
		}
	}
	return true
}
