package vault

import (
	"context"
	"fmt"
	"maps"

	"github.com/hashicorp/vault/api"
)

// What the guide calls them.
const (
	Mount = "pki"
	Role  = "openservicemesh"
)

// Write writes to a path with the root token.
func (s *Server) Write(ctx context.Context, path string, data map[string]any) (*api.Secret, error) {
	client, err := s.Client(s.Token)
	if err != nil {
		return nil, err
	}
	secret, err := client.Logical().WriteWithContext(ctx, path, data)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return secret, nil
}

// SetUp makes the PKI of the guide: the mount, its root and its role.
func (s *Server) SetUp(ctx context.Context) error { return s.SetUpPKI(ctx, Mount, nil) }

// SetUpPKI makes the PKI of the guide elsewhere, with its role changed so.
func (s *Server) SetUpPKI(ctx context.Context, mount string, changes map[string]any) error {
	if err := s.MountPKI(ctx, mount); err != nil {
		return err
	}
	_, err := s.Write(ctx, mount+"/root/generate/internal", map[string]any{
		"common_name": "osm.root", "ttl": "87600h", "key_type": "ec", "key_bits": 256, "not_before_duration": "5m",
	})
	if err != nil {
		return err
	}
	return s.SetRole(ctx, mount, changes)
}

// MountPKI mounts a PKI that may sign for ten years. It has no CA yet.
func (s *Server) MountPKI(ctx context.Context, mount string) error {
	client, err := s.Client(s.Token)
	if err != nil {
		return err
	}
	err = client.Sys().MountWithContext(ctx, mount, &api.MountInput{Type: "pki", Config: api.MountConfigInput{MaxLeaseTTL: "87600h"}})
	if err != nil {
		return fmt.Errorf("mount %s: %w", mount, err)
	}
	return nil
}

// SetRole writes the guide's role, changed so.
func (s *Server) SetRole(ctx context.Context, mount string, changes map[string]any) error {
	role := map[string]any{
		"allow_any_name":      true,
		"allow_subdomains":    true,
		"allow_bare_domains":  true,
		"allow_localhost":     true,
		"allowed_uri_sans":    "spiffe://*",
		"enforce_hostnames":   false,
		"key_type":            "any",
		"not_before_duration": "5m",
		"require_cn":          false,
		"max_ttl":             "24h",
	}
	maps.Copy(role, changes)
	_, err := s.Write(ctx, mount+"/roles/"+Role, role)
	return err
}
