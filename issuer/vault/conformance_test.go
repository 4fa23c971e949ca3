package vault_test

import (
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/issuertest"
	"github.com/osm-edge/osm/issuer/vault"
	testvault "github.com/osm-edge/osm/test/vault"
)

func TestConformance(t *testing.T) {
	server := startServer(t)
	issuertest.Conformance(t, func(t *testing.T) issuer.Issuer { return newCA(t, server, asIs) }, issuertest.Options{
		Backdate: issuer.ClockSkew,
		MaxTTL:   24 * time.Hour,
		Outage: func(t *testing.T) func() {
			must(t, server.Seal(t.Context()))
			return func() { must(t, server.Unseal(t.Context())) }
		},
		Deviating: map[string]func(*testing.T) issuer.Issuer{
			"leaves out the SANs":        deviating(server, "no-sans", map[string]any{"use_csr_sans": false}),
			"leaves out the name":        deviating(server, "no-name", map[string]any{"use_csr_common_name": false}),
			"leaves out a usage":         deviating(server, "no-client", map[string]any{"client_flag": false}),
			"leaves out the signing use": deviating(server, "no-signature", map[string]any{"key_usage": []string{"KeyAgreement"}}),
		},
	})
}

// deviating returns what makes the issuer of a mount whose role is changed so.
func deviating(server *testvault.Server, mount string, changes map[string]any) func(*testing.T) issuer.Issuer {
	return func(t *testing.T) issuer.Issuer {
		must(t, server.SetUpPKI(t.Context(), mount, changes))
		return newCA(t, server, func(o *vault.Options) { o.Mount = mount })
	}
}
