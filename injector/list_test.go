package injector

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/osm-edge/osm/injector/interception"
)

func TestFullListsOfTheMeshAndOfAPodAreWithinWhatOsmInitReads(t *testing.T) {
	var ports []string
	for i := range maxEntries {
		ports = append(ports, fmt.Sprint(10000+i))
	}
	config := testConfig(t, func(s *Settings) {
		s.InboundPortExclusions = numbers(t, 20000)
		s.OutboundPortExclusions = numbers(t, 20000)
		s.OutboundRangeExclusions = longRanges(t, "2001:db8:aaaa:aaaa:aaaa:aaaa:aaaa:1%03x/128")
		s.OutboundRangeInclusions = longRanges(t, "2001:db8:aaaa:aaaa:aaaa:aaaa:aaaa:2%03x/128")
	})
	o, err := overridesOf(t, config, says{
		"inbound-port-exclusion-list":      strings.Join(ports, ","),
		"outbound-port-exclusion-list":     strings.Join(ports, ","),
		"outbound-ip-range-exclusion-list": longList("2001:db8:aaaa:aaaa:aaaa:aaaa:aaaa:3%03x/128"),
		"outbound-ip-range-inclusion-list": longList("2001:db8:aaaa:aaaa:aaaa:aaaa:aaaa:4%03x/128"),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.inboundPorts) != 2*maxEntries || len(o.excludeRanges) != 2*maxEntries {
		t.Fatalf("%d ports and %d ranges", len(o.inboundPorts), len(o.excludeRanges))
	}
	var interfaces []string
	for i := range maxEntries {
		interfaces = append(interfaces, fmt.Sprintf("interface%06d", i))
	}
	told, err := json.Marshal(intercepted(o, interfaces))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := interception.Parse(told); err != nil {
		t.Error(err)
	}
}

func numbers(t *testing.T, from int) []uint16 {
	t.Helper()
	var text []string
	for i := range maxEntries {
		text = append(text, fmt.Sprint(from+i))
	}
	ports, err := ParsePorts(strings.Join(text, ","))
	if err != nil {
		t.Fatal(err)
	}
	return ports
}

// longList fills a list with entries as long as they get.
func longList(format string) string {
	var text []string
	for i := range maxEntries {
		text = append(text, fmt.Sprintf(format, i))
	}
	return strings.Join(text, ",")
}

func longRanges(t *testing.T, format string) []netip.Prefix {
	t.Helper()
	parsed, err := ParseRanges(longList(format))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}
