package nft

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/osm-edge/osm/test/netns"
)

func TestRedirectedConnectionsGoOnWhenTheRulesAreSetAgain(t *testing.T) {
	p := newPod(t)
	p.apply(t, config())
	for family, addresses := range hosts {
		for host, from := range map[string]*netns.Namespace{"peer": p.inside, "pod": p.outside} {
			t.Run("to the "+host+" by "+family, func(t *testing.T) {
				conn, taker := dial(t, from, net.JoinHostPort(addresses[host], "8080"))
				if !strings.Contains(taker, "sidecar") {
					t.Fatalf("%s took the connection", taker)
				}
				p.apply(t, config())
				if err := echo(conn); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func echo(conn net.Conn) error {
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("!")); err != nil {
		return err
	}
	_, err := conn.Read(make([]byte, 1))
	return err
}

func TestUDPIsLeftAlone(t *testing.T) {
	p := newPod(t)
	p.apply(t, config())
	for family, addresses := range hosts {
		for host, way := range map[string][2]*netns.Namespace{"peer": {p.inside, p.outside}, "pod": {p.outside, p.inside}} {
			t.Run("to the "+host+" by "+family, func(t *testing.T) {
				if err := sendDatagram(way[0], way[1], net.JoinHostPort(addresses[host], "8080")); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func sendDatagram(from, to *netns.Namespace, address string) error {
	var receiver *net.UDPConn
	if err := to.Do(func() (err error) {
		receiver, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(address)))
		return err
	}); err != nil {
		return err
	}
	defer receiver.Close()
	if err := receiver.SetDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	if err := from.Do(func() error {
		sender, err := net.Dial("udp", address)
		if err != nil {
			return err
		}
		_, err = sender.Write([]byte("!"))
		return errors.Join(err, sender.Close())
	}); err != nil {
		return err
	}
	_, err := receiver.Read(make([]byte, 1))
	return err
}
