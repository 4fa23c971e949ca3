package vault_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/vault"
	testvault "github.com/osm-edge/osm/test/vault"
)

// above makes the role sign with an intermediate, of a root that lies beside it.
func above(t *testing.T, server *testvault.Server, mount string, params map[string]any) {
	t.Helper()
	write := func(path string, data map[string]any) *api.Secret {
		answer, err := server.Write(t.Context(), path, data)
		must(t, err)
		return answer
	}
	must(t, server.MountPKI(t.Context(), mount+"-top"))
	root := write(mount+"-top/root/generate/internal", map[string]any{"common_name": "top", "ttl": "87000h", "key_type": "ec", "key_bits": 256})
	must(t, server.MountPKI(t.Context(), mount))
	params["csr"] = write(mount+"/intermediate/generate/internal", map[string]any{"common_name": "below"}).Data["csr"]
	signed := write(mount+"-top/root/sign-intermediate", params)
	imported := write(mount+"/intermediate/set-signed", map[string]any{"certificate": signed.Data["certificate"].(string) + "\n" + root.Data["certificate"].(string)})
	for id, key := range imported.Data["mapping"].(map[string]any) {
		if key != "" {
			must(t, server.SetRole(t.Context(), mount, map[string]any{"issuer_ref": id}))
		}
	}
}

func TestAnIntermediateThatForbidsTheNamesIsSaidToDoSo(t *testing.T) {
	server := startServer(t)
	above(t, server, "constrained", map[string]any{"permitted_dns_domains": "example.com"})
	ca := newCA(t, server, func(o *vault.Options) { o.Mount = "constrained" })
	_, err := issue(t, ca, time.Hour)
	wantError(t, err, nil, "name constraints", "have the role constrained/roles/openservicemesh sign with an issuer without them")
	if strings.Contains(err.Error(), "does not trust yet") {
		t.Errorf("it says to wait: %v", err)
	}
}

// One request may be refused for its name. A role that refuses all is seen all
// the same.
func TestARoleThatRefusesEachNameIsSaid(t *testing.T) {
	server := startServer(t)
	ca := newCA(t, server, asIs)
	mustIssue(t, ca, time.Hour)
	must(t, server.SetRole(t.Context(), testvault.Mount, map[string]any{"require_cn": true}))
	if _, err := ca.Issue(t.Context(), request(t, strings.Repeat("a", 60)), time.Hour); !errors.Is(err, issuer.ErrRefused) {
		t.Errorf("error %v", err)
	}
	must(t, ca.Inspect(t.Context()).Err)
	must(t, server.SetRole(t.Context(), testvault.Mount, map[string]any{"allow_any_name": false, "allowed_domains": "example.com"}))
	if _, err := issue(t, ca, time.Hour); !errors.Is(err, issuer.ErrRefused) {
		t.Errorf("error %v", err)
	}
	for range 2 {
		wantError(t, ca.Inspect(t.Context()).Err, nil, "not allowed by this role", "allowed_domains with the trust domain")
	}
	must(t, server.SetRole(t.Context(), testvault.Mount, nil))
	must(t, ca.Inspect(t.Context()).Err)
}

// A CA that ends signs what ends before it, and no certificate of the mesh.
func TestACAThatIsAboutToEndIsSaid(t *testing.T) {
	server := startServer(t)
	must(t, server.MountPKI(t.Context(), "short"))
	_, err := server.Write(t.Context(), "short/root/generate/internal", map[string]any{"common_name": "short", "ttl": "2h"})
	must(t, err)
	must(t, server.SetRole(t.Context(), "short", nil))
	ca := newCA(t, server, func(o *vault.Options) { o.Mount = "short" })
	_, err = ca.Roots(t.Context())
	must(t, err)
	must(t, ca.Inspect(t.Context()).Err)
	if _, err := issue(t, ca, 24*time.Hour); err == nil {
		t.Fatal("it signs")
	}
	awaitChange(t, ca)
	mustIssue(t, ca, 30*time.Minute)
	for range 2 {
		wantError(t, ca.Inspect(t.Context()).Err, nil, "beyond the expiration of the CA", "leaf_not_after_behavior=truncate on the issuer")
	}
	_, err = server.Write(t.Context(), "short/issuer/default", map[string]any{"leaf_not_after_behavior": "truncate"})
	must(t, err)
	must(t, ca.Inspect(t.Context()).Err)
	mustIssue(t, ca, 24*time.Hour)
}

func TestWhatVaultAnswersWith500IsSaidWithWhatHelps(t *testing.T) {
	server := startServer(t)
	client, err := server.Client(server.Token)
	must(t, err)
	patch := func(path string, data map[string]any) {
		_, err := client.Logical().JSONMergePatch(t.Context(), path, data)
		must(t, err)
	}
	for name, test := range map[string]struct {
		spoil, repair func()
		want          []string
	}{
		"the issuer may not issue": {
			func() { patch("pki/issuer/default", map[string]any{"usage": "read-only,crl-signing"}) },
			func() {
				patch("pki/issuer/default", map[string]any{"usage": "read-only,crl-signing,issuing-certificates"})
			},
			[]string{"give it the usage issuing-certificates", "issuer_ref"},
		},
		"the role has an end": {
			func() { patch("pki/roles/openservicemesh", map[string]any{"not_after": "2099-01-01T00:00:00Z"}) },
			func() { patch("pki/roles/openservicemesh", map[string]any{"not_after": ""}) },
			[]string{"vault patch pki/roles/openservicemesh not_after="},
		},
	} {
		t.Run(name, func(t *testing.T) {
			ca := newCA(t, server, asIs)
			test.spoil()
			_, err := issue(t, ca, time.Hour)
			wantError(t, err, nil, test.want...)
			if errors.Is(err, vault.ErrUnreachable) {
				t.Errorf("Vault is said to be away: %v", err)
			}
			wantError(t, ca.Inspect(t.Context()).Err, nil, test.want...)
			test.repair()
			must(t, ca.Inspect(t.Context()).Err)
			mustIssue(t, ca, time.Hour)
		})
	}
}

// Vault splits a text at commas, which mounts may have.
func TestTheCapabilitiesOfAMountWithCommasAreKnown(t *testing.T) {
	server := startServer(t)
	must(t, server.SetUpPKI(t.Context(), "a,b/c;d", nil))
	ca := newCA(t, server, func(o *vault.Options) { o.Mount = "a,b/c;d" })
	mustIssue(t, ca, time.Hour)
	must(t, ca.Inspect(t.Context()).Err)
}
