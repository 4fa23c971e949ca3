package nft

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

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
		want := "1 osm forward_filter, 1 osm inbound, 1 osm inbound_filter, 1 osm outbound, 1 osm outbound_filter, 1 theirs old, 2 osm old"
		if got := strings.Join(distinct(names), ", "); got != want {
			t.Errorf("there are the chains %s, want %s", got, want)
		}
		return err
	})
}
