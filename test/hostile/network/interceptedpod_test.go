//go:build hostile

package network

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/osm-edge/osm/injector/interception"
	"github.com/osm-edge/osm/injector/interception/nft"
	"github.com/osm-edge/osm/test/netns"
)

// Who takes a connection.
const (
	byApplication = "application"
	byInbound     = "inbound sidecar"
	byOutbound    = "outbound sidecar"
	byPeer        = "peer"
	byNone        = "none"
)

// The ports of an interceptedPod.
const (
	inboundPort     = 15003
	outboundPort    = 15001
	probePort       = 15901
	applicationPort = 8080
	excludedPort    = 9000
	idlePort        = 9001 // excluded, and nothing listens
)

// ipFamily has the addresses of a pod and its neighbours.
type ipFamily struct {
	name                                               string
	loopback, inside, peerAt, database, unused, atNet1 netip.Addr
}

var ipFamilies = []ipFamily{
	familyOf("IPv4", "127.0.0.1", "10.0.0.2", "10.1.0.1", "10.2.0.1", "10.2.9.9", "192.168.0.2"),
	familyOf("IPv6", "::1", "fd00::2", "fd00:1::1", "fd00:2::1", "fd00:2::9", "fd99::2"),
}

func familyOf(name string, addresses ...string) ipFamily {
	var parsed [6]netip.Addr
	for i, a := range addresses {
		parsed[i] = netip.MustParseAddr(a)
	}
	return ipFamily{name, parsed[0], parsed[1], parsed[2], parsed[3], parsed[4], parsed[5]}
}

func (f ipFamily) pod(port uint16) netip.AddrPort  { return netip.AddrPortFrom(f.inside, port) }
func (f ipFamily) peer(port uint16) netip.AddrPort { return netip.AddrPortFrom(f.peerAt, port) }

// excluded is of a range that the pod calls without its sidecar.
func (f ipFamily) excluded(port uint16) netip.AddrPort { return netip.AddrPortFrom(f.database, port) }

// absent is an address of an excluded range that no host has.
func (f ipFamily) absent(port uint16) netip.AddrPort { return netip.AddrPortFrom(f.unused, port) }

// interceptedPod is a network namespace with the rules of osm-init, in which an
// application and a sidecar listen, and another for who is outside.
type interceptedPod struct {
	inside, outside *netns.Namespace
	sidecar         int // its user
}

// config is what an injected pod gives osm-init.
const config = `{
	"uid": %d, "inbound": {"port": 15003, "excludePorts": [9000, 9001, 15010, 15901, 15902, 15903, 15904]},
	"outbound": {"port": 15001, "excludePorts": [53], "excludeRanges": ["10.2.0.0/16", "fd00:2::/32"]},
	"excludeInterfaces": ["net1"]}`

// interceptPod makes a pod in which the tests are the application.
func interceptPod(t *testing.T) *interceptedPod {
	t.Helper()
	return interceptPodOf(t, netns.UID+1)
}

// interceptPodOf makes one by the user of its sidecar.
func interceptPodOf(t *testing.T, sidecar int) *interceptedPod {
	t.Helper()
	p := &interceptedPod{netns.New(t), netns.New(t), sidecar}
	netns.Connect(t,
		netns.End{Namespace: p.inside, Name: "eth0", Addresses: prefixesOf("10.0.0.2/8", "fd00::2/16")},
		netns.End{Namespace: p.outside, Name: "eth0", Addresses: prefixesOf("10.1.0.1/8", "10.2.0.1/8", "fd00:1::1/16", "fd00:2::1/16")})
	netns.Connect(t,
		netns.End{Namespace: p.inside, Name: "net1", Addresses: prefixesOf("192.168.0.2/24", "fd99::2/64")},
		netns.End{Namespace: p.outside, Name: "net1", Addresses: prefixesOf("192.168.0.1/24", "fd99::1/64")})
	for _, address := range []string{":8080", ":9000"} {
		listen(t, p.inside, address, byApplication)
		listen(t, p.outside, address, byPeer)
	}
	listen(t, p.inside, ":15003", byInbound)
	listen(t, p.inside, ":15901", byInbound)
	listen(t, p.inside, "127.0.0.1:15001", byOutbound)
	listen(t, p.inside, "[::1]:15001", byOutbound)
	p.apply(t)
	return p
}

func prefixesOf(texts ...string) (prefixes []netip.Prefix) {
	for _, text := range texts {
		prefixes = append(prefixes, netip.MustParsePrefix(text))
	}
	return prefixes
}

// apply does what osm-init does.
func (p *interceptedPod) apply(t *testing.T) {
	t.Helper()
	parsed, err := interception.Parse(fmt.Appendf(nil, config, p.sidecar))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.inside.Do(func() error { _, err := nft.Apply(parsed); return err }); err != nil {
		t.Fatal(err)
	}
}
