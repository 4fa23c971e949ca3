//go:build hostile

package network

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/osm-edge/osm/test/netns"
	"github.com/osm-edge/osm/test/segment"
)

// Where nothing is to pass there is nothing but time to wait for.
const (
	moment   = 300 * time.Millisecond // with a retransmission, after 200 ms
	deadline = 10 * time.Second
)

// listen answers connections by a line with the name, and then by what it reads.
func listen(t *testing.T, n *netns.Namespace, address, name string) {
	t.Helper()
	var listener net.Listener
	err := n.Do(func() (err error) {
		listener, err = new(net.ListenConfig).Listen(t.Context(), "tcp", address)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				fmt.Fprintln(conn, name)
				_, _ = bufio.NewReader(conn).WriteTo(conn)
			}()
		}
	}()
}

// taker tells who takes a connection that opens within a moment.
func (p *interceptedPod) taker(n *netns.Namespace, to netip.AddrPort) string {
	return p.takerFrom(n, netip.AddrPort{}, to)
}

func (p *interceptedPod) takerFrom(n *netns.Namespace, from, to netip.AddrPort) string {
	conn, err := connect(n, from, to, moment)
	if err != nil {
		return byNone
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(moment)); err != nil {
		return err.Error()
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return byNone
	}
	return strings.TrimSpace(line)
}

func connect(n *netns.Namespace, from, to netip.AddrPort, wait time.Duration) (conn net.Conn, err error) {
	dialer := net.Dialer{Timeout: wait}
	if from.IsValid() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(from)
	}
	err = n.Do(func() (err error) {
		conn, err = dialer.Dial("tcp", to.String())
		return err
	})
	return conn, err
}

// callInVain has the pod open a connection that is not answered.
func (p *interceptedPod) callInVain(from, to netip.AddrPort) error {
	if conn, err := connect(p.inside, from, to, moment); err == nil {
		return errors.Join(fmt.Errorf("%s answers", to), conn.Close())
	}
	return nil
}

// mustNotReceive sends a segment from outside, which TCP in the pod must not receive.
func (p *interceptedPod) mustNotReceive(t *testing.T, f ipFamily, s segment.Segment) error {
	t.Helper()
	if n := p.inside.Receives(t, p.outside, f.inside, s.Send); n > 0 {
		return fmt.Errorf("by %s from %s: %d segments reach TCP", f.name, s.From, n)
	}
	return nil
}

// opensNothing has connections tried in both directions, to ports that are not excluded.
func (p *interceptedPod) opensNothing() (string, error) {
	for _, f := range ipFamilies {
		if taker := p.taker(p.outside, f.pod(applicationPort)); taker == byApplication {
			return "", fmt.Errorf("by %s: the application takes a connection", f.name)
		}
		if taker := p.taker(p.inside, f.peer(applicationPort)); taker == byPeer {
			return "", fmt.Errorf("by %s: the peer takes the application's call", f.name)
		}
	}
	return "dropped", nil
}

// ends opens connections, sets the rules, and tells whether the connections end.
func (p *interceptedPod) ends(t *testing.T, open func(f ipFamily) net.Conn) (string, error) {
	t.Helper()
	var conns []net.Conn
	for _, f := range ipFamilies {
		conns = append(conns, open(f))
	}
	p.apply(t)
	for i, conn := range conns {
		if err := echoes(conn, moment); err == nil {
			return "", fmt.Errorf("by %s: the connection goes on", ipFamilies[i].name)
		}
	}
	return "dropped", nil
}

func echoes(conn net.Conn, wait time.Duration) error {
	if err := conn.SetDeadline(time.Now().Add(wait)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("!")); err != nil {
		return err
	}
	_, err := conn.Read(make([]byte, 1))
	return err
}

// mustDial connects, and checks who takes the connection.
func (p *interceptedPod) mustDial(t *testing.T, n *netns.Namespace, to netip.AddrPort, want string) net.Conn {
	t.Helper()
	return p.mustDialFrom(t, n, netip.AddrPort{}, to, want)
}

func (p *interceptedPod) mustDialFrom(t *testing.T, n *netns.Namespace, from, to netip.AddrPort, want string) net.Conn {
	t.Helper()
	conn, err := connect(n, from, to, deadline)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(deadline)); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, len(want)+1)
	if _, err := io.ReadFull(conn, line); err != nil || string(line) != want+"\n" {
		t.Fatalf("%q takes the connection to %s (%v), not the %s", line, to, err, want)
	}
	return conn
}
