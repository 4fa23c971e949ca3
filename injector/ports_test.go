package injector

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestPortsAreReadInOrderEachOnce(t *testing.T) {
	tests := map[string]struct {
		list string
		want []uint16
	}{
		"none":             {"", nil},
		"blanks only":      {" \t ", nil},
		"one":              {"80", []uint16{80}},
		"the ends":         {"65535,1", []uint16{1, 65535}},
		"out of order":     {"443,80,8080", []uint16{80, 443, 8080}},
		"twice":            {"80,443,80", []uint16{80, 443}},
		"blanks around":    {" 80 ,\t443 ", []uint16{80, 443}},
		"a line each":      {"80,\n443\n", []uint16{80, 443}},
		"zeroes in front":  {"0080", []uint16{80}},
		"as many as taken": {strings.Repeat("80,", maxEntries-1) + "80", []uint16{80}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got, err := ParsePorts(test.list); err != nil || !slices.Equal(got, test.want) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestWhatIsNoListOfPortsIsRefusedByEntry(t *testing.T) {
	tests := map[string]struct{ list, want string }{
		"zero":                  {"80,0", `"0" is not a port`},
		"too high":              {"65536", `"65536" is not a port`},
		"far too high":          {"80,99999999999999999999", `"99999999999999999999" is not a port`},
		"negative":              {"-80", `"-80" is not a port`},
		"signed":                {"+80", `"+80" is not a port`},
		"a name":                {"http", `"http" is not a port`},
		"hexadecimal":           {"0x50", `"0x50" is not a port`},
		"with separators":       {"8_080", `"8_080" is not a port`},
		"a fraction":            {"80.0", `"80.0" is not a port`},
		"a range":               {"80-90", `"80-90" is not a port`},
		"with a protocol":       {"80/tcp", `"80/tcp" is not a port`},
		"other digits":          {"８０", `"８０" is not a port`},
		"a gap":                 {"80,,443", `"" is not a port`},
		"a comma at the end":    {"80,", `"" is not a port`},
		"a comma alone":         {",", `"" is not a port`},
		"semicolons":            {"80;443", `"80;443" is not a port`},
		"blanks between":        {"80 443", `"80 443" is not a port`},
		"JSON":                  {"[80,443]", `"[80" is not a port`},
		"more than are taken":   {strings.Repeat("80,", maxEntries) + "80", "257 entries: at most 256"},
		"longer than are taken": {strings.Repeat("0", maxListBytes) + "80", "16386 bytes: at most 16384"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParsePorts(test.list)
			refusedWith(t, err, test.want)
			if got != nil {
				t.Errorf("got %v all the same", got)
			}
		})
	}
}

func FuzzParsePorts(f *testing.F) {
	for _, list := range []string{"", "80", "80, 443", "443,80,80", "0", "65536", "080", ",", "80,", "-1", "８０", "80\n"} {
		f.Add(list)
	}
	f.Fuzz(func(t *testing.T, list string) {
		ports, err := ParsePorts(list)
		if err != nil {
			return
		}
		if len(ports) > maxEntries || slices.Contains(ports, 0) || !increasing(ports) {
			t.Errorf("%q became %v", list, ports)
		}
		var text []string
		for _, port := range ports {
			text = append(text, strconv.Itoa(int(port)))
		}
		again, err := ParsePorts(strings.Join(text, ","))
		if err != nil || !slices.Equal(again, ports) {
			t.Errorf("%q became %v, and those %v, %v", list, ports, again, err)
		}
	})
}

func increasing(ports []uint16) bool {
	for i := 1; i < len(ports); i++ {
		if ports[i-1] >= ports[i] {
			return false
		}
	}
	return true
}
