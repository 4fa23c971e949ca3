package nft

import (
	"net"
	"strconv"
	"testing"

	"github.com/osm-edge/osm/injector/interception"
	"github.com/osm-edge/osm/test/netns"
)

func TestWhoTakesAConnection(t *testing.T) {
	const (
		application = "application"
		outside     = "outside"
		inbound     = "inbound sidecar"
		outbound    = "outbound sidecar"
	)
	p := newPod(t)
	tests := map[string]struct {
		change func(*interception.Config)
		from   *netns.Namespace
		host   string
		port   int
		want   string
	}{
		"from outside": {nil, p.outside, "pod", applicationPort, inbound},
		"from outside to the outbound sidecar, which is not at that address": {nil, p.outside, "pod", outboundPort, inbound},
		"from outside to a port where no one listens":                        {nil, p.outside, "pod", 8081, inbound},
		"from outside to the sidecar itself":                                 {nil, p.outside, "pod", inboundPort, inbound},
		"from outside to an excluded port":                                   {nil, p.outside, "pod", excludedPort, application},
		"from outside for metrics":                                           {nil, p.outside, "pod", metricsPort, application},
		"from the kubelet for a probe":                                       {nil, p.outside, "pod", probePort, application},
		"from outside over an excluded interface":                            {nil, p.outside, "pod at net1", applicationPort, application},
		"from outside over an interface that isn't excluded": {
			func(c *interception.Config) { c.ExcludeInterfaces = nil }, p.outside, "pod at net1", applicationPort, inbound,
		},

		"to outside":                            {nil, p.inside, "peer", applicationPort, outbound},
		"to a port where no one listens":        {nil, p.inside, "peer", 8081, outbound},
		"to an excluded port":                   {nil, p.inside, "peer", excludedPort, outside},
		"to an excluded range":                  {nil, p.inside, "database", applicationPort, outside},
		"to outside over an excluded interface": {nil, p.inside, "peer at net1", applicationPort, outside},
		"to loopback":                           {nil, p.inside, "loopback", applicationPort, application},
		"to the pod's own address":              {nil, p.inside, "pod", applicationPort, application},
		"to the sidecar itself":                 {nil, p.inside, "loopback", outboundPort, outbound},
		"by the sidecar to outside": {
			func(c *interception.Config) { c.UID = netns.UID }, p.inside, "peer", applicationPort, outside,
		},
		"by the sidecar to the application": {
			func(c *interception.Config) { c.UID = netns.UID }, p.inside, "loopback", applicationPort, application,
		},
		"to an included range":                        {include, p.inside, "peer", applicationPort, outbound},
		"to what isn't included":                      {include, p.inside, "database", applicationPort, outside},
		"to an excluded range within an included one": {include, p.inside, "island", applicationPort, outside},
		"to an excluded port of an included range":    {include, p.inside, "peer", excludedPort, outside},
		"from outside, whatever is included":          {include, p.outside, "pod", applicationPort, inbound},
		"to outside where everything is excluded":     {excludeAll, p.inside, "peer", applicationPort, outside},
		"from outside where everything is excluded":   {excludeAll, p.outside, "pod", applicationPort, inbound},
		"to outside where others are included":        {includeOthers, p.inside, "peer", applicationPort, outside},
	}
	for name, test := range tests {
		for family, addresses := range hosts {
			t.Run(name+" by "+family, func(t *testing.T) {
				c := config()
				if test.change != nil {
					test.change(&c)
				}
				p.apply(t, c)
				address := net.JoinHostPort(addresses[test.host], strconv.Itoa(test.port))
				if _, got := dial(t, test.from, address); got != test.want+" "+address {
					t.Errorf("to %s: %s, want %s", address, got, test.want)
				}
			})
		}
	}
}

func include(c *interception.Config) {
	c.Outbound.IncludeRanges = prefixes("10.0.0.0/15", "10.1.0.0/16", "fd00:1::/32")
	c.Outbound.ExcludeRanges = prefixes("10.1.3.0/24", "fd00:1:3::/48")
}

func excludeAll(c *interception.Config) { c.Outbound.ExcludeRanges = everywhere() }

// includeOthers includes addresses that are not in use.
func includeOthers(c *interception.Config) {
	c.Outbound.IncludeRanges = prefixes("198.51.100.0/24", "2001:db8::/32")
}
