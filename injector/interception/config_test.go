package interception

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

// full has every field.
func full() Config {
	return Config{
		UID:     1500,
		Inbound: Inbound{Port: 15003, ExcludePorts: []uint16{15010, 15901}},
		Outbound: Outbound{
			Port: 15001, ExcludePorts: []uint16{53},
			ExcludeRanges: []netip.Prefix{netip.MustParsePrefix("10.96.0.1/32"), netip.MustParsePrefix("fd00::/8")},
			IncludeRanges: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::/0")},
		},
		ExcludeInterfaces: []string{"net1"},
	}
}

const (
	fullJSON = `{"uid":1500,"inbound":{"port":15003,"excludePorts":[15010,15901]},` +
		`"outbound":{"port":15001,"excludePorts":[53],"excludeRanges":["10.96.0.1/32","fd00::/8"],"includeRanges":["10.0.0.0/8","::/0"]},` +
		`"excludeInterfaces":["net1"]}`
	leastJSON = `{"uid":1500,"inbound":{"port":15003},"outbound":{"port":15001}}`
)

func TestAConfigIsReadAsItWasWritten(t *testing.T) {
	tests := map[string]struct {
		config Config
		json   string
	}{
		"every field":  {full(), fullJSON},
		"what must be": {Config{UID: 1500, Inbound: Inbound{Port: 15003}, Outbound: Outbound{Port: 15001}}, leastJSON},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			written, err := json.Marshal(test.config)
			if err != nil || string(written) != test.json {
				t.Errorf("written %s, %v, want %s", written, err, test.json)
			}
			read, err := Parse([]byte(test.json))
			if err != nil || !reflect.DeepEqual(read, test.config) {
				t.Errorf("read %+v, %v, want %+v", read, err, test.config)
			}
		})
	}
}

func TestWhatNothingCanFollowIsRefusedByItsField(t *testing.T) {
	tests := map[string]struct{ json, want string }{
		"nothing":                       {"", "EOF"},
		"no object":                     {`[]`, "cannot unmarshal array"},
		"null":                          {`null`, "uid: 0 is root"},
		"an unknown field":              {strings.Replace(leastJSON, "{", `{"gid":1500,`, 1), `unknown field "gid"`},
		"an unknown field of a field":   {strings.Replace(leastJSON, "15003}", `15003,"ports":[]}`, 1), `unknown field "ports"`},
		"more than an object":           {leastJSON + leastJSON, "something follows"},
		"more than can be":              {leastJSON + strings.Repeat(" ", maxConfigBytes), "at most 65536 are read"},
		"root":                          {strings.Replace(leastJSON, "1500,", "0,", 1), "uid: 0 is root"},
		"a negative user":               {strings.Replace(leastJSON, "1500,", "-1,", 1), "uid"},
		"no inbound port":               {strings.Replace(leastJSON, "15003", "0", 1), "inbound.port: missing"},
		"no outbound port":              {strings.Replace(leastJSON, "15001", "0", 1), "outbound.port: missing"},
		"a port that is too high":       {strings.Replace(leastJSON, "15001", "65536", 1), "outbound.port"},
		"an excluded inbound port 0":    {strings.Replace(fullJSON, "15010", "0", 1), "inbound.excludePorts: 0 is not a port"},
		"an excluded outbound port 0":   {strings.Replace(fullJSON, "53", "0", 1), "outbound.excludePorts: 0 is not a port"},
		"an excluded range with a host": {strings.Replace(fullJSON, "fd00::/8", "fd00::1/8", 1), "outbound.excludeRanges: fd00::1/8"},
		"an included range with a host": {strings.Replace(fullJSON, "10.0.0.0/8", "10.0.0.1/8", 1), "outbound.includeRanges: 10.0.0.1/8"},
		"an empty range":                {strings.Replace(fullJSON, "10.0.0.0/8", "", 1), "outbound.includeRanges: invalid Prefix"},
		"an address for a range":        {strings.Replace(fullJSON, "10.0.0.0/8", "10.0.0.1", 1), "10.0.0.1"},
		"IPv4 in the form of IPv6":      {strings.Replace(fullJSON, "10.0.0.0/8", "::ffff:10.0.0.0/104", 1), "outbound.includeRanges: ::ffff:10.0.0.0/104"},
		"a range of a zone":             {strings.Replace(fullJSON, "fd00::/8", "fe80::%eth0/10", 1), "fe80::%eth0/10"},
		"a name of no interface":        {strings.Replace(fullJSON, "net1", "net 1", 1), `excludeInterfaces: "net 1"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if c, err := Parse([]byte(test.json)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s is read as %+v, error %v, want one that contains %q", test.json, c, err, test.want)
			}
		})
	}
}

func TestEveryFieldThatIsWrongIsNamed(t *testing.T) {
	_, err := Parse([]byte(`{"outbound":{"excludePorts":[0]},"excludeInterfaces":[".."]}`))
	for _, field := range []string{"uid", "inbound.port", "outbound.port", "outbound.excludePorts", "excludeInterfaces"} {
		if err == nil || !strings.Contains(err.Error(), field+":") {
			t.Errorf("error %v does not name %s", err, field)
		}
	}
}

func TestNamesOfInterfacesAreThoseOfLinux(t *testing.T) {
	for _, name := range []string{"eth0", "lo", "net1.100", "wg-0", "a_b", "...", "abcdefghijklmno", "eth0@if5", `"`} {
		if err := CheckInterface(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", ".", "..", "abcdefghijklmnop", "a/b", "a:b", "a b", "a\tb", "a\x00b", "a\x7fb", "ü"} {
		if err := CheckInterface(name); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{fullJSON, leastJSON, "", "null", "{}", `{"uid":1e3}`, leastJSON + "{}", `{"UID":1500}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data)
		if err != nil {
			return
		}
		written, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if len(written) > maxConfigBytes {
			return // for what JSON escapes
		}
		again, err := Parse(written)
		if err != nil {
			t.Fatalf("%s is read, %s isn't: %v", data, written, err)
		}
		if rewritten, err := json.Marshal(again); err != nil || string(rewritten) != string(written) {
			t.Errorf("%s becomes %s, error %v", written, rewritten, err)
		}
	})
}
