package vault_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/issuer/vault"
	"github.com/osm-edge/osm/issuer/vault/names"
	testvault "github.com/osm-edge/osm/test/vault"
)

func TestAMountOfAnyNameThatVaultTakesSigns(t *testing.T) {
	server := startServer(t)
	for _, mount := range []string{"team@x/pki", "-pki", ".pki", "pki.", "...", "..pki", "~pki", "+pki", "a b/c d", "m!$&'()*,;=:", "é/日本", "ns1/ns2/pki", "A/B"} {
		must(t, names.CheckMount(mount))
		must(t, server.SetUpPKI(t.Context(), mount, nil))
		for _, written := range []string{mount, "/" + mount + "/"} {
			ca := newCA(t, server, func(o *vault.Options) { o.Mount = written })
			roots(t, ca)
			mustIssue(t, ca, time.Hour)
		}
	}
}

// TestTheRuleForRolesIsVaultsOwn has Vault write each.
func TestTheRuleForRolesIsVaultsOwn(t *testing.T) {
	server := startServer(t)
	for _, role := range []string{"a", "A_b.c-d", "_", "0", "a--b", "-a", "a-", ".a", "a.", "a@b", "a/b", "a b", "é", "a+b"} {
		_, err := server.Write(t.Context(), "pki/roles/"+role, map[string]any{"allow_any_name": true})
		if rule := names.CheckRole(role); (err == nil) != (rule == nil) {
			t.Errorf("role %q: the rule says %v, Vault %v", role, rule, err)
		}
	}
}

// TestVaultBehindAPathSigns has a proxy serve Vault below a path, which VAULT_ADDR
// may have, and which the clients of Vault put before theirs.
func TestVaultBehindAPathSigns(t *testing.T) {
	server := start(t, testvault.Options{})
	target, err := url.Parse(server.Address)
	must(t, err)
	proxy := httptest.NewServer(http.StripPrefix("/team@x/vault", httputil.NewSingleHostReverseProxy(target)))
	t.Cleanup(proxy.Close)
	given := rootOf(t, server)
	for _, address := range []string{proxy.URL + "/team@x/vault", proxy.URL + "/team@x/vault/", server.Address + "/"} {
		ca := newCA(t, server, func(o *vault.Options) {
			o.Address = address
			o.Given = func(context.Context) (trustbundle.TrustBundle, error) { return given, nil }
		})
		roots(t, ca)
		mustIssue(t, ca, time.Hour)
	}
}
