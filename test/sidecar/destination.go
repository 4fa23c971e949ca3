package sidecar

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/osm-edge/osm/injector"
)

var errNotIntercepted = errors.New("it was not intercepted: only what the kernel leads here is carried")

// isIntercepted reports how connections come here. The bootstrap config says
// that; no connection does.
func (s *Sidecar) isIntercepted() bool {
	return s.options.Bootstrap.Interception != injector.NoInterception
}

// inboundDestination is the address of this pod that a peer's connection was
// going to before the kernel led it here: none without interception.
func (s *Sidecar) inboundDestination(conn net.Conn) (netip.AddrPort, error) {
	if !s.isIntercepted() {
		return netip.AddrPort{}, nil
	}
	original, known := s.options.OriginalDestination(conn)
	switch {
	case !known:
		return netip.AddrPort{}, errNotIntercepted
	case !s.options.OwnAddress(conn, original.Addr().Unmap()):
		return netip.AddrPort{}, fmt.Errorf("%s is not this pod's", original)
	case s.isOwn(original.Port()):
		return netip.AddrPort{}, fmt.Errorf("port %d is the sidecar's own", original.Port())
	}
	return original, nil
}

// isAcceptedAt reports whether a connection was accepted at the address. The
// kernel lets in connections to any address, loopback included, if a neighbour
// sends them here and they are redirected.
func isAcceptedAt(conn net.Conn, address netip.Addr) bool {
	local, ok := conn.LocalAddr().(*net.TCPAddr)
	return ok && local.AddrPort().Addr().Unmap().WithZone("") == address && !address.IsLoopback()
}

// outboundDestination is where a connection of the application was going before
// the kernel led it here. What connects to the listener itself was going nowhere.
func (s *Sidecar) outboundDestination(conn net.Conn) (netip.AddrPort, error) {
	original, known := s.options.OriginalDestination(conn)
	local, isTCP := conn.LocalAddr().(*net.TCPAddr)
	if !known || isTCP && original == netip.AddrPortFrom(local.AddrPort().Addr().Unmap(), local.AddrPort().Port()) {
		return netip.AddrPort{}, errNotIntercepted
	}
	return original, nil
}
