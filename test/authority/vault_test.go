package authority

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/vault"
	testvault "github.com/osm-edge/osm/test/vault"
)

func TestTheTokenOfTheMeshSignsAndDoesNothingElse(t *testing.T) {
	v, err := StartVault(t.Context())
	must(t, err)
	t.Cleanup(func() { must(t, v.Stop()) })
	next, err := v.PrepareRoot(t.Context())
	must(t, err)
	must(t, v.ReplaceRoot(t.Context()))
	root, err := v.Root(t.Context())
	must(t, err)
	if !root.Equal(next) {
		t.Error("the root is the old one")
	}
	ca, err := vault.New(vault.Options{
		Address: v.Address, CA: v.CA, Role: testvault.Role, Logger: slog.New(slog.DiscardHandler),
		Credentials: vault.Token{Read: func(context.Context) (string, error) { return v.token, nil }},
	})
	must(t, err)
	id, err := identity.New("cluster.local", "bookstore", "bookstore-v2")
	must(t, err)
	request, err := issuer.NewServiceRequest(issuer.DefaultKeyAlgorithm, id)
	must(t, err)
	chain, err := ca.Issue(t.Context(), request, time.Hour)
	must(t, err)
	if err := chain[0].CheckSignatureFrom(root); err != nil {
		t.Errorf("another root signs: %v", err)
	}
	client, err := v.Client(v.token)
	must(t, err)
	if _, err := client.Logical().WriteWithContext(t.Context(), testvault.Mount+"/roles/"+testvault.Role, map[string]any{"max_ttl": "48h"}); err == nil {
		t.Error("the token may write the role")
	}
	if _, err := client.Logical().ReadWithContext(t.Context(), testvault.Mount+"/roles/other"); err == nil {
		t.Error("the token may read another role")
	}
}
