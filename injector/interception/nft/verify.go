package nft

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// verify compares r with what the kernel holds.
func (r ruleset) verify(conn *nftables.Conn) error {
	held, err := read(conn, r.family)
	if err != nil {
		return err
	}
	if different := differences(r.parts(), held.parts()); len(different) > 0 {
		return fmt.Errorf("it is not what was set: %s", strings.Join(different, ", "))
	}
	return nil
}

// parts names the sets and chains. The elements of a set have no order.
func (r ruleset) parts() map[string]any {
	parts := map[string]any{}
	for _, s := range r.sets {
		s.elements = slices.SortedFunc(slices.Values(s.elements), func(a, b nftables.SetElement) int {
			return bytes.Compare(a.Key, b.Key)
		})
		parts["set "+s.name] = s
	}
	for _, c := range r.chains {
		parts["chain "+c.name] = c
	}
	return parts
}

// differences names what is in one only, or not the same in both.
func differences(a, b map[string]any) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	maps.DeleteFunc(all, func(name string, _ any) bool { return reflect.DeepEqual(a[name], b[name]) })
	return slices.Sorted(maps.Keys(all))
}

func read(conn *nftables.Conn, family nftables.TableFamily) (ruleset, error) {
	table := &nftables.Table{Name: tableName, Family: family}
	r := ruleset{family: family}
	sets, err := conn.GetSets(table)
	if err != nil {
		return r, fmt.Errorf("sets: %w", err)
	}
	for _, s := range sets {
		elements, err := conn.GetSetElements(s)
		if err != nil {
			return r, fmt.Errorf("elements of set %s: %w", s.Name, err)
		}
		r.sets = append(r.sets, set{s.Name, s.KeyType, s.Interval, elements})
	}
	chains, err := conn.ListChainsOfTableFamily(family)
	if err != nil {
		return r, fmt.Errorf("chains: %w", err)
	}
	for _, c := range chains {
		if c.Table.Name == tableName {
			read, err := readChain(conn, table, c)
			if err != nil {
				return r, err
			}
			r.chains = append(r.chains, read)
		}
	}
	return r, nil
}

func readChain(conn *nftables.Conn, table *nftables.Table, c *nftables.Chain) (chain, error) {
	read := chain{name: c.Name, kind: c.Type}
	if c.Hooknum != nil && c.Priority != nil && c.Policy != nil {
		read.hook, read.priority, read.policy = *c.Hooknum, *c.Priority, *c.Policy
	}
	rules, err := conn.GetRules(table, c)
	if err != nil {
		return chain{}, fmt.Errorf("rules of chain %s: %w", c.Name, err)
	}
	for _, r := range rules {
		completeSources(r.Exprs)
		read.rules = append(read.rules, r.Exprs)
	}
	return read, nil
}

// completeSources fills in what the library does not read: the register of a ct
// expression that writes. One that reads has a register of its own, never 0.
func completeSources(read rule) {
	for _, e := range read {
		if ct, ok := e.(*expr.Ct); ok && ct.Register == 0 {
			ct.Register, ct.SourceRegister = register, true
		}
	}
}
