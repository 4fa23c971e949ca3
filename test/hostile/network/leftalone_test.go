//go:build hostile

package network

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/osm-edge/osm/test/attack"
	"github.com/osm-edge/osm/test/netns"
)

// TestWhatInterceptionLeavesAloneWorks holds the rules to what they must not break.
func TestWhatInterceptionLeavesAloneWorks(t *testing.T) {
	const area = "interception"
	p := interceptPod(t)
	for _, way := range []struct {
		name string
		from *netns.Namespace
		to   func(ipFamily) netip.AddrPort
		want string
	}{
		{"a call from outside", p.outside, func(f ipFamily) netip.AddrPort { return f.pod(applicationPort) }, byInbound},
		{"a call from outside to an excluded port", p.outside, func(f ipFamily) netip.AddrPort { return f.pod(excludedPort) }, byApplication},
		{"a probe", p.outside, func(f ipFamily) netip.AddrPort { return f.pod(probePort) }, byInbound},
		{"a call over an excluded interface", p.outside, func(f ipFamily) netip.AddrPort { return netip.AddrPortFrom(f.atNet1, applicationPort) }, byApplication},
		{"the application's call", p.inside, func(f ipFamily) netip.AddrPort { return f.peer(applicationPort) }, byOutbound},
		{"the application's call to an excluded range", p.inside, func(f ipFamily) netip.AddrPort { return f.excluded(applicationPort) }, byPeer},
		{"the application's call to itself", p.inside, func(f ipFamily) netip.AddrPort { return f.pod(applicationPort) }, byApplication},
	} {
		attack.Works(t, area, way.name, func(t *testing.T) (string, error) {
			for _, f := range ipFamilies {
				conn := p.mustDial(t, way.from, way.to(f), way.want)
				p.apply(t)
				if err := echoes(conn, deadline); err != nil {
					return "", fmt.Errorf("by %s, when the rules are set again: %w", f.name, err)
				}
			}
			return "taken by " + way.want, nil
		})
	}
	attack.Works(t, area, "the sidecar's call", func(t *testing.T) (string, error) {
		p := interceptPodOf(t, netns.UID)
		for _, f := range ipFamilies {
			conn := p.mustDial(t, p.inside, f.peer(applicationPort), byPeer)
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				return "", fmt.Errorf("by %s: %w", f.name, err)
			}
			if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
				return "", fmt.Errorf("by %s: the peer closes it by %v", f.name, err)
			}
		}
		return "taken by " + byPeer + ", closed by both", nil
	})
	attack.Works(t, area, "an error of ICMP", func(t *testing.T) (string, error) {
		p := interceptPod(t)
		p.outside.AddRule(t, nftables.ChainHookInput, nftables.ChainPriorityFilter,
			&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_TCP}},
			&expr.Reject{Type: unix.NFT_REJECT_ICMPX_UNREACH, Code: unix.NFT_REJECT_ICMPX_PORT_UNREACH})
		for _, f := range ipFamilies {
			if _, err := connect(p.inside, netip.AddrPort{}, f.excluded(applicationPort), deadline); !errors.Is(err, unix.ECONNREFUSED) {
				return "", fmt.Errorf("by %s: %w, want that the connection is refused", f.name, err)
			}
		}
		return "it refuses the application's call to an excluded range", nil
	})
	attack.Works(t, area, "a connection to an excluded port from before the rules", func(t *testing.T) (string, error) {
		p := interceptPod(t)
		p.inside.RemoveTable(t, "osm")
		for _, f := range ipFamilies {
			conn := p.mustDial(t, p.outside, f.pod(excludedPort), byApplication)
			p.apply(t)
			if err := echoes(conn, deadline); err != nil {
				return "", fmt.Errorf("by %s: %w", f.name, err)
			}
			p.inside.RemoveTable(t, "osm")
		}
		return "it goes on", nil
	})
}
