package nft

import (
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/osm-edge/osm/injector/interception"
	"github.com/osm-edge/osm/test/netns"
)

// timeout is how long a connection may take that must succeed.
const timeout = 10 * time.Second

func TestMain(m *testing.M) { os.Exit(netns.Run(m.Run)) }

// hosts are those that are connected to, by their addresses in each family.
var hosts = map[string]map[string]string{
	"IPv4": {
		"loopback": "127.0.0.1", "pod": "10.0.0.2", "peer": "10.1.0.1", "database": "10.2.0.1", "island": "10.1.3.1",
		"pod at net1": "192.168.0.2", "peer at net1": "192.168.0.1",
	},
	"IPv6": {
		"loopback": "::1", "pod": "fd00::2", "peer": "fd00:1::1", "database": "fd00:2::1", "island": "fd00:1:3::1",
		"pod at net1": "fd99::2", "peer at net1": "fd99::1",
	},
}

// pod is a network namespace like a pod's, with another for the rest of the world.
type pod struct{ inside, outside *netns.Namespace }

const (
	inboundPort     = 15003
	outboundPort    = 15001
	metricsPort     = 15010
	probePort       = 15901
	applicationPort = 8080
	excludedPort    = 9000
)

// newPod makes a pod with a sidecar and an application. The one that
// accepts a connection sends its name.
func newPod(t *testing.T) pod {
	t.Helper()
	p := pod{inside: netns.New(t), outside: netns.New(t)}
	netns.Connect(t,
		netns.End{Namespace: p.inside, Name: "eth0", Addresses: prefixes("10.0.0.2/8", "fd00::2/16")},
		netns.End{Namespace: p.outside, Name: "eth0", Addresses: prefixes(
			"10.1.0.1/8", "10.2.0.1/8", "10.1.3.1/8", "fd00:1::1/16", "fd00:2::1/16", "fd00:1:3::1/16")})
	netns.Connect(t,
		netns.End{Namespace: p.inside, Name: "net1", Addresses: prefixes("192.168.0.2/24", "fd99::2/64")},
		netns.End{Namespace: p.outside, Name: "net1", Addresses: prefixes("192.168.0.1/24", "fd99::1/64")})
	for _, address := range []string{":8080", ":9000", ":15010", ":15901"} {
		serve(t, p.inside, address, "application")
	}
	for _, address := range []string{":8080", ":9000"} {
		serve(t, p.outside, address, "outside")
	}
	serve(t, p.inside, ":15003", "inbound sidecar")
	serve(t, p.inside, "127.0.0.1:15001", "outbound sidecar")
	serve(t, p.inside, "[::1]:15001", "outbound sidecar")
	return p
}

// config of the pod. The test itself is the application, whose user is not the
// sidecar's.
func config() interception.Config {
	return interception.Config{
		UID:     netns.UID + 1,
		Inbound: interception.Inbound{Port: inboundPort, ExcludePorts: []uint16{metricsPort, probePort, excludedPort}},
		Outbound: interception.Outbound{
			Port: outboundPort, ExcludePorts: []uint16{excludedPort},
			ExcludeRanges: prefixes("10.2.0.0/16", "fd00:2::/32"),
		},
		ExcludeInterfaces: []string{"net1"},
	}
}

func prefixes(texts ...string) (prefixes []netip.Prefix) {
	for _, text := range texts {
		prefixes = append(prefixes, netip.MustParsePrefix(text))
	}
	return prefixes
}

// apply applies c to the pod.
func (p pod) apply(t *testing.T, c interception.Config) {
	t.Helper()
	err := p.inside.Do(func() error {
		ipv6, err := Apply(c)
		if err == nil && !ipv6 {
			err = fmt.Errorf("the tests need a kernel with IPv6")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
