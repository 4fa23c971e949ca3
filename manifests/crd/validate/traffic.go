package validate

import (
	"fmt"
	"net/netip"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/osm-edge/osm/manifests/crd/v1"
)

// maxExclusions is how many entries osm-injector takes of a list.
const maxExclusions = 256

func traffic(path *field.Path, t v1.Traffic) field.ErrorList {
	problems := each(path.Child("inboundPortExclusions"), t.InboundPortExclusions, port)
	problems = append(problems, each(path.Child("outboundPortExclusions"), t.OutboundPortExclusions, port)...)
	problems = append(problems, each(path.Child("outboundIPRangeExclusions"), t.OutboundIPRangeExclusions, ipRange)...)
	problems = append(problems, each(path.Child("outboundIPRangeInclusions"), t.OutboundIPRangeInclusions, ipRange)...)
	return append(problems, each(path.Child("networkInterfaceExclusions"), t.NetworkInterfaceExclusions, networkInterface)...)
}

// each checks the entries of a list by what is wrong with one, if anything.
func each[T any](path *field.Path, list []T, wrong func(T) string) field.ErrorList {
	if len(list) > maxExclusions {
		return field.ErrorList{field.TooMany(path, len(list), maxExclusions)}
	}
	var problems field.ErrorList
	for i, entry := range list {
		if problem := wrong(entry); problem != "" {
			problems = append(problems, field.Invalid(path.Index(i), entry, problem))
		}
	}
	return problems
}

func port(port v1.Port) string {
	if port < 1 || port > 65535 {
		return "not a port: want a number from 1 to 65535"
	}
	return ""
}

func ipRange(entry v1.IPRange) string {
	r, err := netip.ParsePrefix(string(entry))
	switch addr, addrErr := netip.ParseAddr(string(entry)); {
	case err == nil && r.Addr().Is4In6() && r.Bits() < 96:
		return "an IPv4 address with an IPv6 length: write an IPv4 range, such as 10.0.0.0/8"
	case err == nil:
		return ""
	case addrErr == nil && addr.Zone() == "":
		return fmt.Sprintf("an address, not a range: write %s/%d for this address alone", addr, addr.BitLen())
	}
	return "not a range: want CIDR notation, such as 10.0.0.0/8 or fd00::/8"
}

// networkInterface takes the names that Linux takes, of ASCII.
func networkInterface(name v1.NetworkInterface) string {
	bad := name == "" || len(name) > 15 || name == "." || name == ".."
	for _, c := range []byte(name) {
		bad = bad || c <= ' ' || c == '/' || c == ':' || c >= 0x7f
	}
	if bad {
		return "not the name of a network interface: want up to 15 characters without blanks, slashes and colons, such as net1"
	}
	return ""
}
