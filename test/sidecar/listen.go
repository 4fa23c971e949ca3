package sidecar

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"github.com/osm-edge/osm/injector"
)

// listen opens a listener on each of the addresses that the pod has, all or
// none. One address at least has to be of a family that the pod has.
func (s *Sidecar) listen(name string, addresses []string) ([]net.Listener, error) {
	var open []net.Listener
	var absent error
	for _, address := range addresses {
		listener, err := s.options.Listen(address)
		switch {
		case err == nil:
			open = append(open, listener)
		case errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL):
			absent = err
		default:
			closeAll(open)
			return nil, fmt.Errorf("open the %s listener: %w", name, err)
		}
	}
	if len(open) == 0 && absent != nil {
		return nil, fmt.Errorf("open the %s listener: %w", name, absent)
	}
	return open, nil
}

// closeAll is for listeners without connections yet.
func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		l.Close() // it was never used
	}
}

// portOn is the port that all addresses of a listener have, 0 if there is none.
func portOn(l injector.Listener) uint16 {
	if len(l.Listen) == 0 {
		return 0
	}
	return portOf(l.Listen[0])
}

// portOf returns the port of host:port, 0 of anything else.
func portOf(address string) uint16 {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return 0
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return 0
	}
	return uint16(number)
}
