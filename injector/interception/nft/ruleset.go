package nft

import (
	"github.com/google/nftables"

	"github.com/osm-edge/osm/injector/interception"
)

// tableName is the table's, in whichever family.
const tableName = "osm"

// The names of the sets, as an administrator sees them by "nft list table inet osm".
const (
	leftAloneInterfaces    = "left_alone_interfaces"
	leftAloneInboundPorts  = "left_alone_inbound_ports"
	leftAloneOutboundPorts = "left_alone_outbound_ports"
	leftAloneIPv4          = "left_alone_ipv4"
	leftAloneIPv6          = "left_alone_ipv6"
	interceptedIPv4        = "intercepted_ipv4"
	interceptedIPv6        = "intercepted_ipv6"
)

// loopback is the interface's name, in every network namespace.
const loopback = "lo"

// ruleset is the content of the table. Its rules are the same for all Configs,
// less the sidecar's user and ports: what differs is in the sets.
type ruleset struct {
	family nftables.TableFamily
	sets   []set
	chains []chain
}

type set struct {
	name     string
	key      nftables.SetDatatype
	interval bool
	elements []nftables.SetElement
}

type chain struct {
	name     string
	kind     nftables.ChainType
	hook     nftables.ChainHook
	priority nftables.ChainPriority
	policy   nftables.ChainPolicy
	rules    []rule
}

// rulesetOf translates a Config that was checked. The family is inet, or IPv4
// where there is no other.
func rulesetOf(c interception.Config, family nftables.TableFamily) ruleset {
	outbound := c.Outbound
	r := ruleset{
		family: family,
		sets: []set{
			// What crosses the loopback interface stays in the pod, also when it
			// goes to one of the pod's other addresses.
			interfaces(leftAloneInterfaces, append([]string{loopback}, c.ExcludeInterfaces...)),
			ports(leftAloneInboundPorts, append([]uint16{c.Inbound.Port}, c.Inbound.ExcludePorts...)),
			ports(leftAloneOutboundPorts, outbound.ExcludePorts),
		},
		chains: []chain{
			natChain("inbound", nftables.ChainHookPrerouting, inboundRules(c.Inbound.Port)),
			natChain("outbound", nftables.ChainHookOutput, outboundRules(c.UID, outbound.Port, protocols(family))),
			filterChain("inbound_filter", nftables.ChainHookInput, nftables.ChainPolicyDrop, inboundFilterRules()),
			filterChain("forward_filter", nftables.ChainHookForward, nftables.ChainPolicyAccept, forwardFilterRules()),
			filterChain("outbound_filter", nftables.ChainHookOutput, nftables.ChainPolicyDrop, outboundFilterRules(c.UID, outbound.Port, protocols(family))),
		},
	}
	for _, p := range protocols(family) {
		included := p.only(outbound.IncludeRanges)
		if len(outbound.IncludeRanges) == 0 {
			included = p.only(everywhere())
		}
		r.sets = append(r.sets,
			ranges(p.leftAlone, p.address, p.only(outbound.ExcludeRanges)),
			ranges(p.intercepted, p.address, included))
	}
	return r
}

// natChain has the first priority that the kernel allows for address translation.
// Of several chains the first that translates an address decides: the sidecar
// takes a connection before Docker leads it to a container that publishes a port.
func natChain(name string, hook *nftables.ChainHook, rules []rule) chain {
	return chain{
		name:     name,
		kind:     nftables.ChainTypeNAT,
		hook:     *hook,
		priority: *nftables.ChainPriorityConntrack + 1,
		policy:   nftables.ChainPolicyAccept,
		rules:    rules,
	}
}

// filterChain drops or accepts by its policy what no rule says anything of. Its
// hook comes after the address translation of the same hook, or of prerouting.
func filterChain(name string, hook *nftables.ChainHook, policy nftables.ChainPolicy, rules []rule) chain {
	return chain{
		name:     name,
		kind:     nftables.ChainTypeFilter,
		hook:     *hook,
		priority: *nftables.ChainPriorityFilter,
		policy:   policy,
		rules:    rules,
	}
}
