package vault_test

import (
	"testing"

	"github.com/osm-edge/osm/test/vault"
)

func TestVaultKeepsWhatItHoldsWhileItIsAway(t *testing.T) {
	for _, https := range []bool{false, true} {
		server, err := vault.Start(t.Context(), vault.Options{Dir: t.TempDir(), TLS: https})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := server.Stop(); err != nil {
				t.Error(err)
			}
		})
		if err := server.SetUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		hasRole := func() error {
			return server.SetRole(t.Context(), vault.Mount, nil)
		}
		if err := server.Seal(t.Context()); err != nil || hasRole() == nil {
			t.Errorf("sealed: %v", err)
		}
		if err := server.Unseal(t.Context()); err != nil || hasRole() != nil {
			t.Errorf("unsealed: %v, %v", err, hasRole())
		}
		if err := server.Stop(); err != nil || hasRole() == nil {
			t.Errorf("stopped: %v", err)
		}
		if err := server.Resume(t.Context()); err != nil || hasRole() == nil {
			t.Errorf("resumed, and sealed as it starts: %v", err)
		}
		if err := server.Unseal(t.Context()); err != nil || hasRole() != nil {
			t.Errorf("resumed and unsealed: %v, %v", err, hasRole())
		}
	}
}
