package main

import (
	"strings"
	"testing"
)

func TestTheBootstrapConfigIsFoundOnTheCommandLine(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"alone":                     {[]string{"/none/a.json"}, "/none/a.json"},
		"after Pipy's arguments":    {[]string{"--log-level=warn", "/var/run/osm/pipy/main.js", "--", "/none/b.json"}, "/none/b.json"},
		"Pipy's arguments alone":    {[]string{"--log-level=warn", "main.js"}, "as the one argument"},
		"two after them":            {[]string{"main.js", "--", "/none/c.json", "d"}, "as the one argument"},
		"nothing after them":        {[]string{"main.js", "--"}, "/none/e.json"},
		"nothing on it at all":      {nil, "/none/e.json"},
		"a directory is not a file": {[]string{t.TempDir()}, "read the bootstrap config"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OSM_SIDECAR_BOOTSTRAP", "/none/e.json")
			if err := run(t.Context(), tc.args); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}
