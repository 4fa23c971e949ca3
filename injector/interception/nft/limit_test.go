package nft

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/osm-edge/osm/injector/interception"
	"github.com/osm-edge/osm/test/netns"
	"github.com/osm-edge/osm/test/segment"
)

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
	first(t, p, segment.Unsolicited(), []string{"IPv4"}, func(t *testing.T, s segment.Segment) {
		if got := p.received(t, s); got != 0 {
			t.Errorf("TCP received %d segments for the application", got)
		}
	})
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

// TestWhatTheKernelLacksLeavesEverythingAsItWas has the last rule read of
// connection tracking what no kernel knows.
func TestWhatTheKernelLacksLeavesEverythingAsItWas(t *testing.T) {
	p := pod{inside: netns.New(t)}
	r := rulesetOf(interception.Config{UID: 1}, nftables.TableFamilyINet)
	last := &r.chains[len(r.chains)-1]
	last.rules = append(last.rules, accept(&expr.Ct{Key: 0xff, Register: register}))
	check := func() {
		t.Helper()
		err := p.inside.Do(r.apply)
		if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "nothing was changed") {
			t.Errorf("error %v, want one that says that the kernel lacks something, and that nothing was changed", err)
		}
	}
	check()
	with(t, p.inside, func(conn *nftables.Conn) error {
		tables, err := conn.ListTables()
		if len(tables) > 0 {
			t.Errorf("there is a table %+v", tables[0])
		}
		return err
	})
	p.apply(t, config())
	before := held(t, p.inside)
	check()
	if after := held(t, p.inside); !reflect.DeepEqual(before.parts(), after.parts()) {
		t.Errorf("before %+v, after %+v", before, after)
	}
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
