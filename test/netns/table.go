package netns

import (
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// theirs is the table, of IPv4 and IPv6, of another program that sets rules in a namespace.
var theirs = &nftables.Table{Name: "theirs", Family: nftables.TableFamilyINet}

// Track has the namespace track connections, whatever other rules there are.
func (n *Namespace) Track(t *testing.T) {
	t.Helper()
	n.AddRule(t, nftables.ChainHookInput, nftables.ChainPriorityFilter, &expr.Ct{Key: expr.CtKeySTATE, Register: 1})
}

// DoNotTrack has the namespace track no connection.
func (n *Namespace) DoNotTrack(t *testing.T) {
	t.Helper()
	for _, hook := range []*nftables.ChainHook{nftables.ChainHookPrerouting, nftables.ChainHookOutput} {
		n.AddRule(t, hook, nftables.ChainPriorityRaw, &expr.Notrack{})
	}
}

// AddRule adds a rule beside those that are tried out.
func (n *Namespace) AddRule(t *testing.T, hook *nftables.ChainHook, priority *nftables.ChainPriority, rule ...expr.Any) {
	t.Helper()
	n.change(t, func(conn *nftables.Conn) {
		conn.AddTable(theirs)
		chain := conn.AddChain(&nftables.Chain{
			Name: "hook" + string('0'+rune(*hook)), Table: theirs, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: priority,
		})
		conn.AddRule(&nftables.Rule{Table: theirs, Chain: chain, Exprs: rule})
	})
}

// AddNAT adds a rule that translates addresses, at the usual priority, before
// those that others added there.
func (n *Namespace) AddNAT(t *testing.T, hook *nftables.ChainHook, rule ...expr.Any) {
	t.Helper()
	n.change(t, func(conn *nftables.Conn) {
		conn.AddTable(theirs)
		chain := conn.AddChain(&nftables.Chain{
			Name: "nat" + string('0'+rune(*hook)), Table: theirs, Type: nftables.ChainTypeNAT,
			Hooknum: hook, Priority: nftables.ChainPriorityNATDest,
		})
		conn.AddRule(&nftables.Rule{Table: theirs, Chain: chain, Exprs: rule})
	})
}

// RemoveTable removes a table of IPv4 and IPv6.
func (n *Namespace) RemoveTable(t *testing.T, name string) {
	t.Helper()
	n.change(t, func(conn *nftables.Conn) {
		conn.DelTable(&nftables.Table{Name: name, Family: nftables.TableFamilyINet})
	})
}

func (n *Namespace) change(t *testing.T, f func(*nftables.Conn)) {
	t.Helper()
	err := n.Do(func() error {
		conn, err := nftables.New()
		if err != nil {
			return err
		}
		f(conn)
		return conn.Flush()
	})
	if err != nil {
		t.Fatalf("change the rules of a namespace: %v", err)
	}
}
