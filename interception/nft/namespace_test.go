package nft

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/osm-edge/osm/interception"
	"github.com/osm-edge/osm/test/netns"
)

// with calls f with a connection to the namespace's nftables.
func with(t *testing.T, n *netns.Namespace, f func(*nftables.Conn) error) {
	t.Helper()
	err := n.Do(func() error {
		conn, err := nftables.New()
		if err != nil {
			return err
		}
		return f(conn)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func held(t *testing.T, n *netns.Namespace) (r ruleset) {
	t.Helper()
	with(t, n, func(conn *nftables.Conn) (err error) {
		r, err = read(conn, nftables.TableFamilyINet)
		return err
	})
	return r
}

func TestApplyingTwiceIsApplyingOnce(t *testing.T) {
	p := pod{inside: netns.New(t)}
	p.apply(t, config())
	once := held(t, p.inside)
	p.apply(t, config())
	if twice := held(t, p.inside); !reflect.DeepEqual(once.parts(), twice.parts()) {
		t.Errorf("once %+v, twice %+v", once, twice)
	}
}

func TestWhatATableOfOursHeldIsReplacedAndOtherTablesAreLeftAlone(t *testing.T) {
	p := pod{inside: netns.New(t)}
	with(t, p.inside, func(conn *nftables.Conn) error {
		for _, table := range []*nftables.Table{
			{Name: tableName, Family: nftables.TableFamilyINet},
			{Name: tableName, Family: nftables.TableFamilyIPv4},
			{Name: "theirs", Family: nftables.TableFamilyINet},
		} {
			conn.AddTable(table)
			old := conn.AddChain(&nftables.Chain{Name: "old", Table: table})
			conn.AddRule(&nftables.Rule{Table: table, Chain: old, Exprs: []expr.Any{&expr.Verdict{Kind: expr.VerdictDrop}}})
		}
		return conn.Flush()
	})
	p.apply(t, config())
	with(t, p.inside, func(conn *nftables.Conn) error {
		chains, err := conn.ListChains()
		var names []string
		for _, c := range chains {
			names = append(names, fmt.Sprint(c.Table.Family, " ", c.Table.Name, " ", c.Name))
		}
		want := "1 osm inbound, 1 osm outbound, 1 theirs old, 2 osm old"
		if got := strings.Join(distinct(names), ", "); got != want {
			t.Errorf("there are the chains %s, want %s", got, want)
		}
		return err
	})
}

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

func TestWithIPv6DisabledIPv4IsIntercepted(t *testing.T) {
	p := newPod(t)
	err := p.inside.Do(func() error { return os.WriteFile("/proc/sys/net/ipv6/conf/all/disable_ipv6", []byte("1"), 0) })
	if err != nil {
		t.Fatal(err)
	}
	p.apply(t, config())
	mustBeIntercepted(t, p)
}

func TestWhereTheKernelHasNoIPv6IPv4IsIntercepted(t *testing.T) {
	p := newPod(t)
	if err := p.inside.Do(rulesetOf(config(), nftables.TableFamilyIPv4).apply); err != nil {
		t.Fatal(err)
	}
	mustBeIntercepted(t, p)
}

// mustBeIntercepted checks IPv4 only.
func mustBeIntercepted(t *testing.T, p pod) {
	t.Helper()
	if _, got := dial(t, p.inside, "10.1.0.1:8080"); got != "outbound sidecar 10.1.0.1:8080" {
		t.Errorf("to outside: %s", got)
	}
	if _, got := dial(t, p.outside, "10.0.0.2:8080"); got != "inbound sidecar 10.0.0.2:8080" {
		t.Errorf("from outside: %s", got)
	}
	if _, got := dial(t, p.inside, "10.2.0.1:8080"); got != "outside 10.2.0.1:8080" {
		t.Errorf("to an excluded range: %s", got)
	}
}

func TestTheLargestConfigIsFollowed(t *testing.T) {
	c := config()
	for i := range 6000 { // more than there is room for in what Parse takes
		address := netip.AddrFrom16([16]byte{0x20, 1, byte(i >> 8), byte(i), 0, 1})
		c.Outbound.ExcludeRanges = append(c.Outbound.ExcludeRanges, netip.PrefixFrom(address, 48))
	}
	for port := range uint16(10000) {
		c.Outbound.ExcludePorts = append(c.Outbound.ExcludePorts, port+1)
	}
	p := pod{inside: netns.New(t)}
	p.apply(t, c)
}

func TestWithoutTheCapabilityNothingIsSet(t *testing.T) {
	p := pod{inside: netns.New(t)}
	err := p.inside.Do(func() error {
		return without(unix.CAP_NET_ADMIN, func() error {
			_, err := Apply(config())
			return err
		})
	})
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "capability NET_ADMIN") {
		t.Errorf("error %v, want one of permission that names the capability", err)
	}
	with(t, p.inside, func(conn *nftables.Conn) error {
		tables, err := conn.ListTables()
		if len(tables) > 0 {
			t.Errorf("there is a table %+v", tables[0])
		}
		return err
	})
}

// without calls f on the same thread with the capability out of effect.
func without(capability uint, f func() error) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var all [2]unix.CapUserData
	if err := unix.Capget(&header, &all[0]); err != nil {
		return err
	}
	less := all
	less[capability/32].Effective &^= 1 << (capability % 32)
	if err := unix.Capset(&header, &less[0]); err != nil {
		return err
	}
	return errors.Join(f(), unix.Capset(&header, &all[0]))
}

func TestAConfigThatCannotBeFollowedIsRefused(t *testing.T) {
	if _, err := Apply(interception.Config{}); err == nil || !strings.Contains(err.Error(), "inbound.port: missing") {
		t.Errorf("error %v", err)
	}
}

func TestWhatDiffersInTheKernelIsNamed(t *testing.T) {
	table := &nftables.Table{Name: tableName, Family: nftables.TableFamilyINet}
	tests := map[string]struct {
		change func(*nftables.Conn) error
		want   string
	}{
		"nothing": {func(*nftables.Conn) error { return nil }, ""},
		"one rule more": {func(conn *nftables.Conn) error {
			chain := &nftables.Chain{Name: "inbound", Table: table}
			conn.InsertRule(&nftables.Rule{Table: table, Chain: chain, Exprs: leaveAlone()})
			return nil
		}, "chain inbound"},
		"no rule": {func(conn *nftables.Conn) error {
			conn.FlushChain(&nftables.Chain{Name: "outbound", Table: table})
			return nil
		}, "chain outbound"},
		"another chain": {func(conn *nftables.Conn) error {
			conn.AddChain(&nftables.Chain{Name: "another", Table: table})
			return nil
		}, "chain another"},
		"an element more": {func(conn *nftables.Conn) error {
			return conn.SetAddElements(&nftables.Set{Table: table, Name: leftAloneInterfaces}, []nftables.SetElement{{Key: interfaceKey("eth0")}})
		}, "set left_alone_interfaces"},
		"no element": {func(conn *nftables.Conn) error {
			conn.FlushSet(&nftables.Set{Table: table, Name: interceptedIPv6})
			return nil
		}, "set intercepted_ipv6"},
		"no table": {func(conn *nftables.Conn) error { conn.DelTable(table); return nil }, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := pod{inside: netns.New(t)}
			p.apply(t, config())
			with(t, p.inside, func(conn *nftables.Conn) error {
				if err := errors.Join(test.change(conn), conn.Flush()); err != nil {
					return err
				}
				err := rulesetOf(config(), nftables.TableFamilyINet).verify(conn)
				if (err == nil) != (name == "nothing") || err != nil && !strings.HasSuffix(err.Error(), test.want) {
					t.Errorf("error %v, want one that names %q only", err, test.want)
				}
				return nil
			})
		})
	}
}
