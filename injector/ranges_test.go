package injector

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestRangesAreReadInOrderAndCanonically(t *testing.T) {
	tests := map[string]struct {
		list string
		want []netip.Prefix
	}{
		"none":                        {"", nil},
		"blanks only":                 {" \t ", nil},
		"IPv4":                        {"10.0.0.0/8", ranges("10.0.0.0/8")},
		"IPv6":                        {"fd00::/8", ranges("fd00::/8")},
		"IPv4 before IPv6":            {"::/0,0.0.0.0/0", ranges("0.0.0.0/0", "::/0")},
		"one address":                 {"10.0.0.5/32, fd00::5/128", ranges("10.0.0.5/32", "fd00::5/128")},
		"bits beyond the length":      {"10.0.0.5/8,fd00::5/8", ranges("10.0.0.0/8", "fd00::/8")},
		"IPv6 in capitals, at length": {"FD00:0:0:0:0:0:0:0/8", ranges("fd00::/8")},
		"twice":                       {"10.0.0.0/8,10.0.0.5/8", ranges("10.0.0.0/8")},
		"one within another":          {"10.1.0.0/16,10.0.0.0/8,10.255.255.255/32,11.0.0.0/8", ranges("10.0.0.0/8", "11.0.0.0/8")},
		"one at another's end":        {"10.0.0.0/9,10.128.0.0/9", ranges("10.0.0.0/9", "10.128.0.0/9")},
		"IPv4 written as IPv6":        {"::ffff:10.0.0.5/104", ranges("10.0.0.0/8")},
		"all IPv4 written as IPv6":    {"::ffff:0.0.0.0/96", ranges("0.0.0.0/0")},
		"IPv4 within all IPv6":        {"::/0,10.0.0.0/8", ranges("10.0.0.0/8", "::/0")},
		"blanks around":               {" 10.0.0.0/8 ,\tfd00::/8\n", ranges("10.0.0.0/8", "fd00::/8")},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got, err := ParseRanges(test.list); err != nil || !slices.Equal(got, test.want) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestWhatIsNoListOfRangesIsRefusedByEntryAndFix(t *testing.T) {
	tests := map[string]struct {
		list string
		want []string
	}{
		"an IPv4 address":                   {"10.0.0.0/8,10.0.0.5", []string{`"10.0.0.5" is an address`, "write 10.0.0.5/32"}},
		"an IPv6 address":                   {"fd00::5", []string{`"fd00::5" is an address`, "write fd00::5/128"}},
		"an IPv4 address written as IPv6":   {"::ffff:10.0.0.5", []string{"is an address", "write 10.0.0.5/32"}},
		"an IPv6 address with a zone":       {"fe80::1%eth0", []string{`"fe80::1%eth0" is an address`, "write fe80::1/128"}},
		"an IPv4 address of an IPv6 length": {"::ffff:10.0.0.0/8", []string{`"::ffff:10.0.0.0/8" is an IPv4 address`, "10.0.0.0/8"}},
		"a range with a zone":               {"fe80::1%eth0/64", []string{`"fe80::1%eth0/64" is not a range`, "fd00::/8"}},
		"too long a length":                 {"10.0.0.0/33", []string{`"10.0.0.0/33" is not a range`, "10.0.0.0/8"}},
		"a negative length":                 {"10.0.0.0/-1", []string{`"10.0.0.0/-1" is not a range`}},
		"a length with zeroes in front":     {"10.0.0.0/08", []string{`"10.0.0.0/08" is not a range`}},
		"no length":                         {"10.0.0.0/", []string{`"10.0.0.0/" is not a range`}},
		"a network mask":                    {"10.0.0.0/255.0.0.0", []string{`"10.0.0.0/255.0.0.0" is not a range`}},
		"a short IPv4 address":              {"10/8", []string{`"10/8" is not a range`}},
		"octal, maybe":                      {"010.0.0.0/8", []string{`"010.0.0.0/8" is not a range`}},
		"first and last":                    {"10.0.0.1-10.0.0.9", []string{`"10.0.0.1-10.0.0.9" is not a range`}},
		"a name":                            {"example.test", []string{`"example.test" is not a range`}},
		"a star":                            {"*", []string{`"*" is not a range`, "CIDR notation"}},
		"a gap":                             {"10.0.0.0/8,,fd00::/8", []string{`"" is not a range`}},
		"more than are taken":               {strings.Repeat("10.0.0.0/8,", maxEntries) + "10.0.0.0/8", []string{"257 entries: at most 256"}},
		"longer than are taken":             {strings.Repeat(" ", maxListBytes) + "10.0.0.0/8", []string{"16394 bytes: at most 16384"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseRanges(test.list)
			refusedWith(t, err, test.want...)
			if got != nil {
				t.Errorf("got %v all the same", got)
			}
		})
	}
}

func FuzzParseRanges(f *testing.F) {
	for _, list := range []string{
		"", "10.0.0.0/8", "10.0.0.5/8, fd00::/8", "10.0.0.5", "::ffff:10.0.0.0/104", "::ffff:10.0.0.0/8", "::/0,0.0.0.0/0",
		"10.0.0.0/8,10.1.0.0/16", "fe80::1%eth0/64", "1.2.3.4/33", ",", "::ffff:0:0/95",
	} {
		f.Add(list)
	}
	f.Fuzz(func(t *testing.T, list string) {
		parsed, err := ParseRanges(list)
		if err != nil {
			return
		}
		var text []string
		for i, r := range parsed {
			if !r.IsValid() || r != r.Masked() || r.Addr().Is4In6() {
				t.Errorf("%q has %v, which is not canonical", list, r)
			}
			if i > 0 && (parsed[i-1].Compare(r) >= 0 || parsed[i-1].Overlaps(r)) {
				t.Errorf("%q has %v after %v", list, r, parsed[i-1])
			}
			text = append(text, r.String())
		}
		again, err := ParseRanges(strings.Join(text, ","))
		if err != nil || !slices.Equal(again, parsed) {
			t.Errorf("%q became %v, and those %v, %v", list, parsed, again, err)
		}
	})
}
