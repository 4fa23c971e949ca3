//go:build hostile

package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"

	"github.com/osm-edge/osm/test/attack"
	"github.com/osm-edge/osm/test/segment"
)

// TestNothingGoesPastTheSidecar attacks the rules of a pod as another pod can
// that has the capability NET_RAW.
func TestNothingGoesPastTheSidecar(t *testing.T) {
	const area = "interception"
	for _, kind := range append(segment.Unsolicited(), segment.Openings()...) {
		attack.Refused(t, area, kind.Name+" before the connection", func(t *testing.T) (string, error) {
			return interceptPod(t).attackFirst(t, kind)
		})
	}
	attack.Refused(t, area, "ACK before the connection, rules set twice", func(t *testing.T) (string, error) {
		p := interceptPod(t)
		p.apply(t)
		return p.attackFirst(t, segment.Unsolicited()[0])
	})
	for _, attempt := range []struct {
		name string
		try  func(*testing.T, *interceptedPod) (string, error)
	}{
		{"connection from before the rules", fromBefore},
		{"connection from before the rules, tracked before", trackedBefore},
		{"connection from before the rules, by an excluded range", fromExcludedBefore},
		{"connection after an ACK over an excluded interface", afterExcludedInterface},
		{"connection while the table of connections is full", whileFull},
		{"connection that is not tracked", untracked},
		{"SYN as a reply to the pod's own attempt", synAsReply},
		{"segments as replies to what the sidecar took", repliesToApplication},
		{"connection to the outbound sidecar", toOutbound},
		{"segments from the pod's own addresses and from loopback", fromItself},
		{"the application's own call, from before the rules", callFromBefore},
		{"the application's own call, from a port that is excluded", callFromExcluded},
	} {
		attack.Refused(t, area, attempt.name, func(t *testing.T) (string, error) { return attempt.try(t, interceptPod(t)) })
	}
}

// attackFirst sends a segment and then connects from the same port, by both
// ipFamilies, and with both settings for what connection tracking did not see
// opened.
func (p *interceptedPod) attackFirst(t *testing.T, kind segment.Kind) (string, error) {
	takers := map[string]int{}
	for i, loose := range []string{"0", "1"} {
		p.inside.Set(t, "net/netfilter/nf_conntrack_tcp_loose", loose)
		for _, family := range ipFamilies {
			s := kind.Between(family.peer(uint16(20000+i)), family.pod(applicationPort))
			if err := p.outside.Do(s.Send); err != nil {
				return "", err
			}
			taker := p.takerFrom(p.outside, s.From, s.To)
			if taker == byApplication {
				return "", fmt.Errorf("by %s, loose=%s: the application takes the connection", family.name, loose)
			}
			takers[taker]++
		}
	}
	return fmt.Sprintf("taken by %v", takers), nil
}

func fromBefore(t *testing.T, p *interceptedPod) (string, error) {
	p.inside.RemoveTable(t, "osm")
	return p.ends(t, func(f ipFamily) net.Conn {
		return p.mustDial(t, p.outside, f.pod(applicationPort), byApplication)
	})
}

func trackedBefore(t *testing.T, p *interceptedPod) (string, error) {
	p.inside.Track(t)
	return fromBefore(t, p)
}

// fromExcludedBefore comes from where the pod may call without the sidecar.
func fromExcludedBefore(t *testing.T, p *interceptedPod) (string, error) {
	p.inside.RemoveTable(t, "osm")
	return p.ends(t, func(f ipFamily) net.Conn {
		return p.mustDialFrom(t, p.outside, f.excluded(0), f.pod(applicationPort), byApplication)
	})
}

func callFromBefore(t *testing.T, p *interceptedPod) (string, error) {
	p.inside.RemoveTable(t, "osm")
	return p.ends(t, func(f ipFamily) net.Conn {
		return p.mustDial(t, p.inside, f.peer(applicationPort), byPeer)
	})
}

func afterExcludedInterface(_ *testing.T, p *interceptedPod) (string, error) {
	f := ipFamilies[0] // by IPv6 a host does not answer for the address of another interface
	s := segment.Segment{Flags: segment.ACK, Signed: true, From: f.peer(20000), To: f.pod(applicationPort), Via: f.atNet1}
	if err := p.outside.Do(s.Send); err != nil {
		return "", err
	}
	taker := p.takerFrom(p.outside, s.From, s.To)
	if taker == byApplication {
		return "", errors.New("the application takes the connection")
	}
	return "taken by " + taker, nil
}

func whileFull(t *testing.T, p *interceptedPod) (string, error) {
	defer p.inside.FillConntrack(t)()
	return p.opensNothing()
}

func untracked(t *testing.T, p *interceptedPod) (string, error) {
	p.inside.DoNotTrack(t)
	return p.opensNothing()
}

// synAsReply waits for the application to listen where it called from.
func synAsReply(t *testing.T, p *interceptedPod) (string, error) {
	for _, family := range ipFamilies {
		from, to := family.absent(20000), family.pod(20000)
		if err := p.callInVain(to, from); err != nil {
			return "", err
		}
		if err := p.mustNotReceive(t, family, segment.Segment{From: from, To: to, Flags: segment.SYN, Signed: true}); err != nil {
			return "", err
		}
	}
	return "dropped", nil
}

func repliesToApplication(t *testing.T, p *interceptedPod) (string, error) {
	for _, family := range ipFamilies {
		conn := p.mustDial(t, p.inside, family.peer(applicationPort), byOutbound)
		from, to := conn.RemoteAddr().(*net.TCPAddr).AddrPort(), conn.LocalAddr().(*net.TCPAddr).AddrPort()
		for _, kind := range segment.Unsolicited() {
			if err := p.mustNotReceive(t, family, kind.Between(from, to)); err != nil {
				return "", fmt.Errorf("%s: %w", kind.Name, err)
			}
		}
	}
	return "dropped", nil
}

func toOutbound(t *testing.T, p *interceptedPod) (string, error) {
	for _, family := range ipFamilies {
		p.mustDial(t, p.outside, family.pod(outboundPort), byInbound)
	}
	return "taken by " + byInbound, nil
}

func fromItself(t *testing.T, p *interceptedPod) (string, error) {
	for _, family := range ipFamilies {
		for _, from := range []netip.AddrPort{family.pod(20000), netip.AddrPortFrom(family.loopback, 20000)} {
			for _, kind := range segment.Unsolicited() {
				if err := p.mustNotReceive(t, family, kind.Between(from, family.pod(applicationPort))); err != nil {
					return "", fmt.Errorf("%s: %w", kind.Name, err)
				}
			}
		}
	}
	return "dropped", nil
}

// callFromExcluded has the application call from a port whose replies pass.
func callFromExcluded(t *testing.T, p *interceptedPod) (string, error) {
	for _, family := range ipFamilies {
		p.mustDialFrom(t, p.inside, family.pod(idlePort), family.peer(applicationPort), byOutbound)
	}
	return "taken by " + byOutbound, nil
}
