package sidecar

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// upstream carries the requests of one peer's connection to the application.
type upstream struct {
	asked     netip.AddrPort
	transport *http.Transport
	unused    chan net.Conn // the first connection, until there is a request
}

// towardsApplication speaks to the application as its peer speaks to it,
// HTTP/1 or HTTP/2, first over the connection that there is, if there is one.
func (s *Sidecar) towardsApplication(first net.Conn, asked netip.AddrPort, http2 bool) *upstream {
	u := &upstream{asked: asked, unused: make(chan net.Conn, 1)}
	if first != nil {
		u.unused <- first
	}
	var protocols http.Protocols
	protocols.SetHTTP1(!http2)
	protocols.SetUnencryptedHTTP2(http2)
	u.transport = &http.Transport{
		Protocols:             &protocols,
		DisableCompression:    true,
		IdleConnTimeout:       time.Minute,
		ExpectContinueTimeout: time.Second,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			select {
			case conn := <-u.unused:
				return conn, nil
			default:
				return s.dialApplication(ctx, asked)
			}
		},
	}
	return u
}

func (u *upstream) close() {
	u.transport.CloseIdleConnections()
	select {
	case conn := <-u.unused:
		conn.Close() // nothing was said
	default:
	}
}
