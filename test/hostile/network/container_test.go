//go:build hostile

package network

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/osm-edge/osm/test/attack"
	"github.com/osm-edge/osm/test/netns"
	"github.com/osm-edge/osm/test/segment"
)

const (
	byContainer   = "container"
	publishedPort = 8082 // of the container in the pod
)

// nested are the addresses of a container in the pod, and of its gateway there.
var nested = map[string][2]netip.Addr{
	"IPv4": {netip.MustParseAddr("172.17.0.2"), netip.MustParseAddr("172.17.0.1")},
	"IPv6": {netip.MustParseAddr("fdd0::2"), netip.MustParseAddr("fdd0::1")},
}

// nest has the pod run a container as a Docker daemon does: on a bridge, with a
// port published at the pod's addresses. Its rules come later than those of osm-init.
func (p *interceptedPod) nest(t *testing.T) *netns.Namespace {
	t.Helper()
	container := netns.New(t)
	p.inside.AddBridge(t, "docker0", prefixesOf("172.17.0.1/16", "fdd0::1/64")...)
	netns.Connect(t, netns.End{Namespace: p.inside, Name: "veth1"},
		netns.End{Namespace: container, Name: "eth0", Addresses: prefixesOf("172.17.0.2/16", "fdd0::2/64")})
	p.inside.Plug(t, "veth1", "docker0")
	p.inside.Forward(t)
	for _, f := range ipFamilies {
		addresses := nested[f.name]
		container.AddRoute(t, netip.PrefixFrom(f.peerAt, f.peerAt.BitLen()), addresses[1])
		p.outside.AddRoute(t, netip.PrefixFrom(addresses[0], addresses[0].BitLen()), f.inside)
		p.outside.AddRoute(t, netip.PrefixFrom(addresses[1], addresses[1].BitLen()), f.inside)
		p.inside.AddNAT(t, nftables.ChainHookPrerouting, publish(f, addresses[0])...)
	}
	listen(t, container, fmt.Sprint(":", publishedPort), byContainer)
	return container
}

func publish(f ipFamily, container netip.Addr) []expr.Any {
	family := byte(unix.NFPROTO_IPV4)
	if f.inside.Is6() {
		family = unix.NFPROTO_IPV6
	}
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{family}},
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_TCP}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.BigEndian.PutUint16(publishedPort)},
		&expr.Immediate{Register: 1, Data: container.AsSlice()},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: uint32(family), RegAddrMin: 1},
	}
}

// TestWhatAContainerInThePodIsCalledForTheSidecarTakes attacks a pod that passes
// on packets, as one with a Docker daemon does.
func TestWhatAContainerInThePodIsCalledForTheSidecarTakes(t *testing.T) {
	const area = "containers in a pod"
	for name, to := range map[string]func(ipFamily) netip.AddrPort{
		"connection to a published port":                   func(f ipFamily) netip.AddrPort { return f.pod(publishedPort) },
		"connection to the application":                    func(f ipFamily) netip.AddrPort { return f.pod(applicationPort) },
		"connection by way of the pod to its own gateway":  func(f ipFamily) netip.AddrPort { return netip.AddrPortFrom(nested[f.name][1], applicationPort) },
		"connection by way of the pod to a published port": func(f ipFamily) netip.AddrPort { return netip.AddrPortFrom(nested[f.name][1], publishedPort) },
	} {
		attack.Refused(t, area, name, func(t *testing.T) (string, error) {
			p := interceptPod(t)
			p.nest(t)
			for _, f := range ipFamilies {
				if taker := p.taker(p.outside, to(f)); taker != byInbound {
					return "", fmt.Errorf("by %s: %s takes it", f.name, taker)
				}
			}
			return "taken by " + byInbound, nil
		})
	}
	for _, kind := range append(segment.Unsolicited(), segment.Openings()...) {
		attack.Refused(t, area, kind.Name+" before the connection to a published port", func(t *testing.T) (string, error) {
			p := interceptPod(t)
			p.nest(t)
			takers := map[string]int{}
			for _, f := range ipFamilies {
				s := kind.Between(f.peer(20000), f.pod(publishedPort))
				if err := p.outside.Do(s.Send); err != nil {
					return "", err
				}
				taker := p.takerFrom(p.outside, s.From, s.To)
				if taker == byContainer {
					return "", fmt.Errorf("by %s: the container takes the connection", f.name)
				}
				takers[taker]++
			}
			return fmt.Sprintf("taken by %v", takers), nil
		})
	}
	attack.Refused(t, area, "connection of a container to the application", func(t *testing.T) (string, error) {
		p := interceptPod(t)
		container := p.nest(t)
		for _, f := range ipFamilies {
			if taker := p.taker(container, netip.AddrPortFrom(nested[f.name][1], applicationPort)); taker != byInbound {
				return "", fmt.Errorf("by %s: %s takes it", f.name, taker)
			}
		}
		return "taken by " + byInbound, nil
	})
	attack.Works(t, area, "a container's call", func(t *testing.T) (string, error) {
		p := interceptPod(t)
		container := p.nest(t)
		for _, f := range ipFamilies {
			conn := p.mustDial(t, container, f.peer(applicationPort), byPeer)
			p.apply(t)
			if err := echoes(conn, deadline); err != nil {
				return "", fmt.Errorf("by %s, when the rules are set again: %w", f.name, err)
			}
		}
		return "taken by " + byPeer, nil
	})
}
