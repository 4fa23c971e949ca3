package nft

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRangesBecomeIntervalsThatNeitherOverlapNorTouch(t *testing.T) {
	tests := map[string]struct {
		ranges []string
		want   string
	}{
		"none":                           {nil, ""},
		"one address":                    {[]string{"10.0.0.1/32"}, "10.0.0.1-10.0.0.1"},
		"in any order":                   {[]string{"10.2.0.0/16", "10.0.0.0/16"}, "10.0.0.0-10.0.255.255 10.2.0.0-10.2.255.255"},
		"the same twice":                 {[]string{"10.0.0.0/8", "10.0.0.0/8"}, "10.0.0.0-10.255.255.255"},
		"one within another":             {[]string{"10.1.0.0/16", "10.0.0.0/8", "10.255.255.255/32"}, "10.0.0.0-10.255.255.255"},
		"neighbours":                     {[]string{"10.0.0.0/9", "10.128.0.0/9"}, "10.0.0.0-10.255.255.255"},
		"everything":                     {[]string{"0.0.0.0/0", "10.0.0.0/8", "255.255.255.255/32"}, "0.0.0.0-255.255.255.255"},
		"up to the highest address":      {[]string{"255.0.0.0/8", "128.0.0.0/32"}, "128.0.0.0-128.0.0.0 255.0.0.0-255.255.255.255"},
		"IPv6":                           {[]string{"fd00::/8", "fe80::/10"}, "fd00::-fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff fe80::-febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		"IPv6 up to the highest address": {[]string{"ff00::/8", "::/0"}, "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, i := range merge(prefixes(test.ranges...)) {
				got = append(got, fmt.Sprint(i.first, "-", i.last))
			}
			if got := strings.Join(got, " "); got != test.want {
				t.Errorf("intervals %s, want %s", got, test.want)
			}
		})
	}
}

// Small ranges of a small part of the addresses meet each other often.
func FuzzIntervalsHoldWhatTheRangesHold(f *testing.F) {
	f.Add([]byte{0, 24, 128, 25, 7, 32, 255, 30, 254, 32})
	f.Fuzz(func(t *testing.T, data []byte) {
		var given []netip.Prefix
		for pair := range slices.Chunk(data, 2) {
			if len(pair) == 2 {
				given = append(given, netip.PrefixFrom(address(pair[0]), 24+int(pair[1])%9).Masked())
			}
		}
		intervals := merge(given)
		for i := range 256 {
			a := address(byte(i))
			want := slices.ContainsFunc(given, func(p netip.Prefix) bool { return p.Contains(a) })
			got := slices.ContainsFunc(intervals, func(i interval) bool { return i.first.Compare(a) <= 0 && a.Compare(i.last) <= 0 })
			if got != want {
				t.Errorf("%s is in %v: %t; in %v: %t", a, given, want, intervals, got)
			}
		}
		for i := range len(intervals) - 1 {
			if after := intervals[i].last.Next(); !after.IsValid() || !after.Less(intervals[i+1].first) {
				t.Errorf("%v and %v are one interval", intervals[i], intervals[i+1])
			}
		}
	})
}

func address(last byte) netip.Addr { return netip.AddrFrom4([4]byte{255, 255, 255, last}) }

func TestTheKernelsAnswersAreExplained(t *testing.T) {
	tests := map[string]struct {
		answer, is error
		want       string
	}{
		"no capability":           {unix.EPERM, fs.ErrPermission, "capability NET_ADMIN"},
		"a security module":       {unix.EACCES, fs.ErrPermission, "security module"},
		"no nftables":             {unix.EOPNOTSUPP, errors.ErrUnsupported, "modules nf_tables, nft_chain_nat, nft_redir and nft_ct"},
		"no netfilter":            {unix.EPROTONOSUPPORT, errors.ErrUnsupported, "CONFIG_NF_TABLES_INET"},
		"no table of both":        {unix.EAFNOSUPPORT, errors.ErrUnsupported, "CONFIG_NF_TABLES_INET"},
		"no translation":          {unix.ENOENT, errors.ErrUnsupported, "CONFIG_NFT_NAT"},
		"no labels":               {unix.EOPNOTSUPP, errors.ErrUnsupported, "CONFIG_NF_CONNTRACK_LABELS"},
		"no memory, for instance": {unix.ENOMEM, unix.ENOMEM, "cannot allocate memory"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := explain(fmt.Errorf("conn.Receive: %w", test.answer))
			if !errors.Is(got, test.is) || !errors.Is(got, test.answer) || !strings.Contains(got.Error(), test.want) {
				t.Errorf("error %v, want one that is %v and contains %q", got, test.is, test.want)
			}
		})
	}
}
