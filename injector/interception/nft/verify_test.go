package nft

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	"github.com/osm-edge/osm/test/netns"
)

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
		"a filter with one rule more": {func(conn *nftables.Conn) error {
			chain := &nftables.Chain{Name: "inbound_filter", Table: table}
			conn.InsertRule(&nftables.Rule{Table: table, Chain: chain, Exprs: accept()})
			return nil
		}, "chain inbound_filter"},
		"a filter without rules": {func(conn *nftables.Conn) error {
			conn.FlushChain(&nftables.Chain{Name: "outbound_filter", Table: table})
			return nil
		}, "chain outbound_filter"},
		"a filter that accepts": {func(conn *nftables.Conn) error {
			accept := nftables.ChainPolicyAccept
			conn.AddChain(&nftables.Chain{
				Name: "inbound_filter", Table: table, Type: nftables.ChainTypeFilter,
				Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityFilter, Policy: &accept,
			})
			return nil
		}, "chain inbound_filter"},
		"no filter": {func(conn *nftables.Conn) error {
			conn.FlushChain(&nftables.Chain{Name: "inbound_filter", Table: table})
			conn.DelChain(&nftables.Chain{Name: "inbound_filter", Table: table})
			return nil
		}, "chain inbound_filter"},
		"another label": {func(conn *nftables.Conn) error {
			rules, err := conn.GetRules(table, &nftables.Chain{Name: "outbound_filter", Table: table})
			if err != nil {
				return err
			}
			changed := rules[3]
			changed.Exprs[2].(*expr.Immediate).Data[0] = 1
			completeSources(changed.Exprs)
			conn.ReplaceRule(changed)
			return nil
		}, "chain outbound_filter"},
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
