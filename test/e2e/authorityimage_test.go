//go:build e2e

package e2e

import (
	"path/filepath"
	"testing"

	certmanager "github.com/osm-edge/osm/test/certmanager/binary"
	"github.com/osm-edge/osm/test/cluster"
	"github.com/osm-edge/osm/test/image"
	vault "github.com/osm-edge/osm/test/vault/binary"
)

// packAuthorities returns archives of what demo/deploy-vault.sh calls Vault's
// image, and of cert-manager's controllers. Vault's has what the script needs in
// its container: a shell, and a client.
func packAuthorities(t *testing.T) []string {
	t.Helper()
	vaultDir, err := vault.Build(t.Context(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	controllers, err := certmanager.Build(t.Context(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	shell, err := cluster.BusyBox(t.Context(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	client := filepath.Join(dir, "vault")
	compile(t, client, "github.com/osm-edge/osm/test/vault/vault")
	var archives []string
	for _, o := range []image.Options{
		{
			Binary: client, Path: "/bin/vault", Name: "docker.io/hashicorp/vault:1.13",
			Beside: map[string]string{"/bin/vaultd": filepath.Join(vaultDir, vault.Name), "/bin/sh": shell, "/bin/grep": shell},
		},
		{Binary: controllers, Name: imageOf("cert-manager-controllers")},
	} {
		archives = append(archives, packFile(t, o))
	}
	return archives
}
