package sds

import (
	"container/list"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// door is a listener that counts connections before anything else is done for
// them. A connection is a stranger until a pod is attested on it.
type door struct {
	net.Listener
	limits  Limits
	refused func(reason Reason, address net.Addr, message string)

	mu        sync.Mutex
	known     int
	strangers list.List // of *conn, the oldest first
	hosts     map[netip.Addr]*host
}

// host is an address that connections come from.
type host struct {
	accepted  *rate.Limiter
	known     int
	strangers list.List // of *conn, the oldest first
}

func newDoor(l net.Listener, limits Limits, refused func(Reason, net.Addr, string)) *door {
	return &door{Listener: l, limits: limits, refused: refused, hosts: map[netip.Addr]*host{}}
}

// Accept returns the next connection that is within the limits. It closes those
// that are not.
func (d *door) Accept() (net.Conn, error) {
	for {
		raw, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: raw, door: d, host: hostOf(raw.RemoteAddr()), openings: rate.NewLimiter(streamsPerSecond, streamBurst)}
		displaced, problem := d.admit(c)
		if problem != "" {
			d.refused(ReasonConnections, raw.RemoteAddr(), problem)
			_ = raw.Close() // nothing was written
			continue
		}
		for _, other := range displaced {
			other.end(ReasonConnections, "a newer connection displaced this one, on which no pod was attested")
		}
		return c, nil
	}
}

// admit counts a connection as a stranger, and returns those that it displaces,
// or why it is not admitted.
func (d *door) admit(c *conn) (displaced []*conn, problem string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	h := d.hosts[c.host]
	if h == nil {
		h = &host{accepted: rate.NewLimiter(connectionsPerSecond, d.limits.AddressBurst)}
		d.hosts[c.host] = h
	}
	switch {
	case !h.accepted.Allow():
		return nil, "the address opens connections too fast"
	case h.known >= d.limits.AddressConnections:
		return nil, "the address has too many connections"
	case d.known >= d.limits.Connections:
		return nil, "this replica has too many connections"
	}
	if h.strangers.Len() >= d.limits.AddressStrangers {
		displaced = append(displaced, d.leave(h.strangers.Front().Value.(*conn)))
	}
	if d.strangers.Len() >= d.limits.Strangers {
		displaced = append(displaced, d.leave(d.strangers.Front().Value.(*conn)))
	}
	c.inDoor, c.inHost = d.strangers.PushBack(c), h.strangers.PushBack(c)
	c.timer = time.AfterFunc(strangerTimeout, func() { c.end(ReasonConnections, "no pod was attested on the connection in time") })
	return displaced, ""
}

// leave no longer counts the connection. It is idempotent, and needs the lock.
func (d *door) leave(c *conn) *conn {
	h := d.hosts[c.host]
	switch {
	case c.inDoor != nil:
		d.strangers.Remove(c.inDoor)
		h.strangers.Remove(c.inHost)
		c.inDoor, c.inHost = nil, nil
		c.timer.Stop()
	case c.known:
		d.known--
		h.known--
		c.known = false
	}
	return c
}

// know counts the connection as one of an attested proxy.
func (d *door) know(c *conn) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch h := d.hosts[c.host]; {
	case c.known:
		return nil
	case c.inDoor == nil:
		return errClosed
	case h.known >= d.limits.AddressConnections:
		return refuse(ReasonConnections, "address %s has %d connections, which is the limit", c.host, h.known)
	case d.known >= d.limits.Connections:
		return refuse(ReasonConnections, "this replica has %d connections, which is its limit; add replicas", d.known)
	default:
		d.leave(c)
		c.known = true
		d.known++
		h.known++
		return nil
	}
}

// forget drops the addresses that nothing is remembered of.
func (d *door) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for address, h := range d.hosts {
		if h.known == 0 && h.strangers.Len() == 0 && h.accepted.Tokens() >= float64(d.limits.AddressBurst) {
			delete(d.hosts, address)
		}
	}
}

// hostOf returns the address without the port; the zero Addr for what is not of
// the Internet protocols.
func hostOf(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}
