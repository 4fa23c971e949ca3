package nft

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"

	"github.com/osm-edge/osm/test/netns"
)

func TestOpenConnectionsGoOnAsTheyAre(t *testing.T) {
	p := newPod(t)
	for family, addresses := range hosts {
		t.Run(family, func(t *testing.T) {
			with(t, p.inside, func(conn *nftables.Conn) error {
				conn.AddTable(&nftables.Table{Name: tableName, Family: nftables.TableFamilyINet})
				conn.DelTable(&nftables.Table{Name: tableName, Family: nftables.TableFamilyINet})
				return conn.Flush()
			})
			inbound, before := dial(t, p.outside, net.JoinHostPort(addresses["pod"], "8080"))
			if !strings.HasPrefix(before, "application ") {
				t.Fatalf("without rules %s took a connection", before)
			}
			outbound, _ := dial(t, p.inside, net.JoinHostPort(addresses["peer"], "8080"))
			p.apply(t, config())
			redirected, after := dial(t, p.inside, net.JoinHostPort(addresses["peer"], "8080"))
			if !strings.HasPrefix(after, "outbound sidecar ") {
				t.Fatalf("with rules %s took a connection", after)
			}
			p.apply(t, config())
			for name, conn := range map[string]net.Conn{"from outside": inbound, "to outside": outbound, "redirected": redirected} {
				if err := echo(conn); err != nil {
					t.Errorf("a connection %s: %v", name, err)
				}
			}
		})
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
