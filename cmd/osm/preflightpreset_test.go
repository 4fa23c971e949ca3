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
		values    map[string]any
		want, fix string
	}{
		"the defaults":           {map[string]any{}, "", ""},
		"Vault":                  {vault("port", 8200), "", ""},
		"an address of no kind":  {vault("host", "[:::]"), "MeshRootCertificate that is refused: spec.provider.vault.address", "correct osm.vault.host with --set"},
		"a CA bundle cut in two": {vault("caBundle", "-----BEGIN CERTIFICATE-----\nAAAA\n"), "spec.provider.vault.caBundle: Invalid value: not PEM: a block is malformed or cut off", "correct osm.vault.caBundle with --set"},
		"more than its limit": {map[string]any{"sidecarResources": map[string]any{"limits": map[string]any{"cpu": "1"}, "requests": map[string]any{"cpu": "2"}}},
			"MeshConfig that is refused: spec.sidecar.resources.requests[cpu]", "correct osm.sidecarResources.limits.cpu, osm.sidecarResources.requests.cpu with --set"},
	} {
		t.Run(name, func(t *testing.T) {
			given := map[string]any{"osm": test.values}
			objects, err := render.Chart(render.Options{Namespace: "osm-system", Values: given})
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			p := &preflight{cluster: newCluster(), objects: objects, given: given, out: newTerminal(&out)}
			if err := p.preset(t.Context()); err != nil {
				t.Fatal(err)
			}
			if (len(p.problems) > 0) != (test.want != "") || !strings.Contains(out.String(), test.want) || !strings.Contains(out.String(), test.fix) {
				t.Errorf("problems %v, printed %q, want %q and %q", p.problems, &out, test.want, test.fix)
			}
		})
	}
}
