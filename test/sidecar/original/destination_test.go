package original_test

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/osm-edge/osm/injector/interception"
	"github.com/osm-edge/osm/injector/interception/nft"
	"github.com/osm-edge/osm/test/netns"
	"github.com/osm-edge/osm/test/sidecar/original"
)

func TestMain(m *testing.M) { os.Exit(netns.Run(m.Run)) }

func TestTheKernelKnowsWhereConnectionsWereGoing(t *testing.T) {
	pod, world := netns.New(t), netns.New(t)
	addresses := func(a, b string) []netip.Prefix {
		return []netip.Prefix{netip.MustParsePrefix(a), netip.MustParsePrefix(b)}
	}
	netns.Connect(t,
		netns.End{Namespace: pod, Name: "eth0", Addresses: addresses("10.0.0.2/8", "fd00::2/16")},
		netns.End{Namespace: world, Name: "eth0", Addresses: addresses("10.1.0.1/8", "fd00:1::1/16")})
	err := pod.Do(func() error {
		_, err := nft.Apply(interception.Config{
			UID:      netns.UID + 1,
			Inbound:  interception.Inbound{Port: 15003},
			Outbound: interception.Outbound{Port: 15001},
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name, listen, to string
		from             *netns.Namespace
	}{
		{"inbound IPv4", ":15003", "10.0.0.2:8080", world},
		{"inbound IPv6", ":15003", "[fd00::2]:8080", world},
		{"inbound, not redirected", ":15003", "10.0.0.2:15003", world},
		{"outbound IPv4", "127.0.0.1:15001", "10.1.0.1:443", pod},
		{"outbound IPv6", "[::1]:15001", "[fd00:1::1]:443", pod},
		{"outbound, not redirected", "127.0.0.1:15001", "127.0.0.1:15001", pod},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			got, known := original.Destination(accepted(t, pod, tc.listen, tc.from, tc.to))
			if !known || got.String() != tc.to {
				t.Errorf("%s, %t, want %s", got, known, tc.to)
			}
		})
	}
	t.Run("where nothing redirects", func(t *testing.T) {
		if got, known := original.Destination(accepted(t, netns.New(t), "127.0.0.1:15001", nil, "127.0.0.1:15001")); known {
			t.Errorf("%s", got)
		}
	})
	t.Run("a connection in memory", func(t *testing.T) {
		conn, _ := net.Pipe()
		if got, known := original.Destination(conn); known {
			t.Errorf("%s", got)
		}
	})
}

// accepted is a connection as its listener gets it, made from another namespace
// or, if that is nil, from the listener's own.
func accepted(t *testing.T, in *netns.Namespace, listen string, from *netns.Namespace, to string) net.Conn {
	t.Helper()
	if from == nil {
		from = in
	}
	var l net.Listener
	err := in.Do(func() (err error) {
		l, err = net.Listen("tcp", listen)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var client net.Conn
	dialed := from.Do(func() (err error) {
		client, err = net.DialTimeout("tcp", to, 10*time.Second)
		return err
	})
	if dialed != nil {
		t.Fatal(errors.Join(dialed, l.Close()))
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(client.Close(), conn.Close(), l.Close()); err != nil {
			t.Error(err)
		}
	})
	return conn
}
