package authority

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"

	"github.com/hashicorp/vault/api"

	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/test/vault"
)

// tokenLife is more than a demonstration or a test takes; the mesh renews it anyway.
const tokenLife = "1h"

// Vault is a real one, on HTTPS of loopback, with the PKI and the role of the guide, and a token for the mesh.
type Vault struct {
	*vault.Server
	dir   string
	token string
}

// StartVault runs a Vault. The caller stops it.
func StartVault(ctx context.Context) (*Vault, error) {
	dir, err := os.MkdirTemp("", "osm-vault")
	if err != nil {
		return nil, err
	}
	server, err := vault.Start(ctx, vault.Options{Dir: dir, TLS: true})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	v := &Vault{Server: server, dir: dir}
	if err := v.setUp(ctx); err != nil {
		return nil, errors.Join(err, v.Stop())
	}
	return v, nil
}

// Stop ends Vault and removes what it held.
func (v *Vault) Stop() error { return errors.Join(v.Server.Stop(), os.RemoveAll(v.dir)) }

// setUp does what the guide says, and makes a token that may sign with the role and read it, and nothing else.
func (v *Vault) setUp(ctx context.Context) error {
	if err := v.SetUp(ctx); err != nil {
		return err
	}
	client, err := v.Client(v.Token)
	if err != nil {
		return err
	}
	const policy = "osm"
	rules := fmt.Sprintf("path %q { capabilities = [\"update\"] }\npath %q { capabilities = [\"read\"] }",
		vault.Mount+"/sign/"+vault.Role, vault.Mount+"/roles/"+vault.Role)
	if err := client.Sys().PutPolicyWithContext(ctx, policy, rules); err != nil {
		return fmt.Errorf("write policy %s: %w", policy, err)
	}
	secret, err := client.Auth().Token().CreateWithContext(ctx, &api.TokenCreateRequest{Policies: []string{policy}, TTL: tokenLife})
	if err != nil {
		return fmt.Errorf("create a token: %w", err)
	}
	v.token = secret.Auth.ClientToken
	return nil
}

// Values are the chart's values for a mesh that this Vault signs for.
func (v *Vault) Values() (map[string]any, error) {
	address, err := url.Parse(v.Address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(address.Port())
	if err != nil {
		return nil, err
	}
	return map[string]any{"osm": map[string]any{
		"certificateProvider": map[string]any{"kind": "vault"},
		"vault": map[string]any{
			"protocol": address.Scheme,
			"host":     address.Hostname(),
			"port":     port,
			"caBundle": string(v.CA),
			"role":     vault.Role,
			"token":    v.token,
		},
	}}, nil
}

// MeshToken is the token that the mesh gets.
func (v *Vault) MeshToken() string { return v.token }

// Root is the root that signs.
func (v *Vault) Root(ctx context.Context) (*x509.Certificate, error) {
	client, err := v.Client("") // Vault tells it any client
	if err != nil {
		return nil, err
	}
	answer, err := client.Logical().ReadWithContext(ctx, vault.Mount+"/cert/ca")
	if err != nil {
		return nil, fmt.Errorf("read the root: %w", err)
	}
	return certificateOf(answer)
}

// PrepareRoot makes another root, which does not sign yet, and returns it.
func (v *Vault) PrepareRoot(ctx context.Context) (*x509.Certificate, error) {
	answer, err := v.Write(ctx, vault.Mount+"/root/rotate/internal", map[string]any{
		"common_name": "osm.root", "ttl": "87600h", "key_type": "ec", "key_bits": 256, "not_before_duration": "5m",
	})
	if err != nil {
		return nil, err
	}
	return certificateOf(answer)
}

// ReplaceRoot has the root that was prepared sign. The old one stays there.
func (v *Vault) ReplaceRoot(ctx context.Context) error {
	_, err := v.Write(ctx, vault.Mount+"/root/replace", map[string]any{"default": "next"})
	return err
}

func certificateOf(answer *api.Secret) (*x509.Certificate, error) {
	if answer == nil {
		return nil, errors.New("vault has no root")
	}
	text, _ := answer.Data["certificate"].(string) // none is no PEM
	certificates, err := trustbundle.ParseCertificates([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("the root of vault: %w", err)
	}
	return certificates[0], nil
}
