package provider

import (
	"testing"

	"github.com/osm-edge/osm/manifests/crd/v1"
	testvault "github.com/osm-edge/osm/test/vault"
)

func TestARootOfVaultThatForbidsTheNamesIsRefused(t *testing.T) {
	server := startVault(t)
	_, err := server.Write(t.Context(), "pki/root/generate/internal", map[string]any{
		"common_name": "corporate", "issuer_name": "corporate", "ttl": "87600h", "key_type": "ec", "key_bits": 256, "permitted_dns_domains": "example.com"})
	must(t, err)
	must(t, server.SetRole(t.Context(), testvault.Mount, map[string]any{"issuer_ref": "corporate"}))
	m := newMesh(t)
	m.giveToken(t, server, server.Token)
	m.create(t, "vault", v1.Active, vaultOf(server))
	m.run(t)
	m.awaitMessage(t, "vault", "False Refused", `vault's root "CN=corporate" is not trusted`, "permit cluster.local", "have the role pki/roles/openservicemesh sign below a root that may certify the names of the mesh")
	must(t, server.SetRole(t.Context(), testvault.Mount, nil))
	m.awaitStatus(t, "vault", "True RootsRefused", "True Signing")
	root := readRoot(t, server)
	m.mustSign(t, root, root)
}

// A CA that was certified anew has two roots of one key, and not both may forbid
// the names.
func TestARootOfVaultThatForbidsTheNamesBesideOneThatDoesNotIsLeftOut(t *testing.T) {
	server := startVault(t)
	write := func(path string, data map[string]any) map[string]any {
		answer, err := server.Write(t.Context(), path, data)
		must(t, err)
		return answer.Data
	}
	client, err := server.Client(server.Token)
	must(t, err)
	_, err = client.Logical().DeleteWithContext(t.Context(), "pki/issuer/default")
	must(t, err)
	must(t, server.MountPKI(t.Context(), "top"))
	first := write("top/root/generate/internal", map[string]any{"common_name": "top", "ttl": "87600h", "key_type": "ec", "key_bits": 256})
	second := write("top/root/rotate/existing", map[string]any{"common_name": "top", "ttl": "87600h", "key_ref": first["key_id"], "permitted_dns_domains": "example.com"})
	request := write("pki/intermediate/generate/internal", map[string]any{"common_name": "below"})
	signed := write("top/root/sign-intermediate", map[string]any{"csr": request["csr"], "ttl": "80000h"})
	bundle := ""
	for _, made := range []map[string]any{signed, first, second} {
		bundle += made["certificate"].(string) + "\n"
	}
	for id, key := range write("pki/intermediate/set-signed", map[string]any{"certificate": bundle})["mapping"].(map[string]any) {
		if key != "" {
			must(t, server.SetRole(t.Context(), testvault.Mount, map[string]any{"issuer_ref": id}))
		}
	}
	m := newMesh(t)
	m.giveToken(t, server, server.Token)
	m.create(t, "vault", v1.Active, vaultOf(server))
	m.run(t)
	m.awaitMessage(t, "vault", "True RootsLeftOut", `vault's root "CN=top" is not trusted`, "forbid DNS names below cluster.local")
	if roots := m.object(t, "vault").Status.Roots; len(roots) != 1 {
		t.Errorf("trusted are %+v", roots)
	}
}
