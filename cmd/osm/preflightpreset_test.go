package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/osm-edge/osm/manifests/render"
)

// The chart cannot say which IP addresses, certificates and quantities there are.
func TestValuesThatTheWebhookWouldRefuseAreRefusedFirst(t *testing.T) {
	vault := func(key string, value any) map[string]any {
		return map[string]any{"certificateProvider": map[string]any{"kind": "vault"}, "vault": map[string]any{"host": "vault", "token": "t", key: value}}
	}
	for name, test := range map[string]struct {
		values map[string]any
		want   string
	}{
		"the defaults":           {map[string]any{}, ""},
		"Vault":                  {vault("port", 8200), ""},
		"an address of no kind":  {vault("host", "[:::]"), "MeshRootCertificate that is refused: spec.provider.vault.address"},
		"a CA bundle cut in two": {vault("caBundle", "-----BEGIN CERTIFICATE-----\nAAAA\n"), "spec.provider.vault.caBundle: Invalid value: not PEM: a block is malformed or cut off"},
		"more than its limit": {map[string]any{"sidecarResources": map[string]any{"limits": map[string]any{"cpu": "1"}, "requests": map[string]any{"cpu": "2"}}},
			"MeshConfig that is refused: spec.sidecar.resources.requests[cpu]"},
	} {
		t.Run(name, func(t *testing.T) {
			objects, err := render.Chart(render.Options{Namespace: "osm-system", Values: map[string]any{"osm": test.values}})
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			p := &preflight{objects: objects, out: newTerminal(&out)}
			if err := p.preset(t.Context()); err != nil {
				t.Fatal(err)
			}
			if (len(p.problems) > 0) != (test.want != "") || !strings.Contains(out.String(), test.want) {
				t.Errorf("problems %v, printed %q, want %q", p.problems, &out, test.want)
			}
		})
	}
}
