package nft

import (
	"fmt"
	"slices"
	"testing"

	"github.com/osm-edge/osm/injector/interception"
	"github.com/osm-edge/osm/test/netns"
)

// befores are what there may have been before the rules.
var befores = map[string]func(*testing.T, pod){
	"nothing":             func(*testing.T, pod) {},
	"connection tracking": func(t *testing.T, p pod) { p.inside.Track(t) },
	"rules that were removed": func(t *testing.T, p pod) {
		p.apply(t, config())
		p.inside.RemoveTable(t, tableName)
	},
	"rules that excluded it": func(t *testing.T, p pod) {
		c := config()
		c.Inbound.ExcludePorts = append(c.Inbound.ExcludePorts, calledPort, calledPort+1)
		excludeAll(&c)
		p.apply(t, c)
	},
}

func TestConnectionsOfBeforeEnd(t *testing.T) {
	ways := map[string]struct {
		host     string
		outbound bool
		change   func(*interception.Config)
	}{
		"from outside": {"pod", false, func(*interception.Config) {}},
		// The pod may call that without the sidecar, but not answer its calls.
		"from an excluded range":   {"pod", false, excludeAll},
		"from what isn't included": {"pod", false, includeOthers},
		"from an excluded port":    {"pod", false, excludeCallers},
		"to outside":               {"peer", true, func(*interception.Config) {}},
		// Nothing tells that from an answer to a call.
		"to an excluded range": {"peer", true, excludeAll},
	}
	for before, prepare := range befores {
		for _, loose := range []string{"0", "1"} {
			t.Run(fmt.Sprintf("before: %s, loose=%s", before, loose), func(t *testing.T) {
				t.Parallel()
				var open []conversation
				for name, way := range ways {
					if way.outbound && before == "rules that excluded it" {
						continue // and saw it opened: see TestWhatTheRulesSawOpenedGoesOn
					}
					p := newPod(t)
					p.inside.Set(t, "net/netfilter/nf_conntrack_tcp_loose", loose)
					prepare(t, p)
					open = append(open, p.talk(t, name, way.host, way.outbound)...)
					c := config()
					way.change(&c)
					p.apply(t, c)
				}
				for _, name := range passes(t, open, moment) {
					t.Errorf("something passes on a connection %s", name)
				}
			})
		}
	}
}

func excludeCallers(c *interception.Config) {
	c.Outbound.ExcludePorts = append(c.Outbound.ExcludePorts, callerPort)
}

// TestWhatTheRulesSawOpenedGoesOn sets them twice.
func TestWhatTheRulesSawOpenedGoesOn(t *testing.T) {
	excludeCalled := func(c *interception.Config) {
		c.Inbound.ExcludePorts = append(c.Inbound.ExcludePorts, calledPort, calledPort+1)
		c.Outbound.ExcludePorts = append(c.Outbound.ExcludePorts, calledPort, calledPort+1)
	}
	beTheSidecar := func(c *interception.Config) { c.UID = netns.UID }
	ways := map[string]struct {
		to       string
		outbound bool
		change   func(*interception.Config)
		// stateless connections need not be seen from the start.
		stateless bool
	}{
		"to an excluded range":                {"database", true, nil, false},
		"to what isn't included":              {"peer", true, includeOthers, false},
		"to an excluded port":                 {"peer", true, excludeCalled, false},
		"by the sidecar":                      {"peer", true, beTheSidecar, false},
		"over an excluded interface":          {"peer at net1", true, nil, true},
		"from outside to such a port":         {"pod", false, excludeCalled, true},
		"from outside over such an interface": {"pod at net1", false, nil, true},
	}
	for _, loose := range []string{"0", "1"} {
		t.Run("loose="+loose, func(t *testing.T) {
			t.Parallel()
			var open []conversation
			for name, way := range ways {
				c := config()
				if way.change != nil {
					way.change(&c)
				}
				for _, applied := range []bool{true, false} {
					if !applied && !way.stateless {
						continue
					}
					p := newPod(t)
					p.inside.Set(t, "net/netfilter/nf_conntrack_tcp_loose", loose)
					if applied {
						p.apply(t, c)
					}
					open = append(open, p.talk(t, fmt.Sprintf("%s, rules before: %t,", name, applied), way.to, way.outbound)...)
					p.apply(t, c)
				}
			}
			got := passes(t, open, timeout)
			for _, c := range open {
				if n := len(slices.DeleteFunc(slices.Clone(got), func(name string) bool { return name != c.name })); n != 2 {
					t.Errorf("%d bytes pass on a connection %s, want one in each direction", n, c.name)
				}
			}
		})
	}
}
