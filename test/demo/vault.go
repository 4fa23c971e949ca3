package main

import (
	"context"
	"crypto/x509"

	operator "github.com/osm-edge/osm/test/authority"
	"github.com/osm-edge/osm/test/vault"
)

// vaultStory is told of a Vault beside the cluster.
type vaultStory struct {
	*narrator
	vault *operator.Vault // nil before setUp
}

func (n *narrator) newVault() authority {
	s := &vaultStory{narrator: n}
	return authority{
		preface: []chapter{{"A Vault gets a root, and a role that signs for the mesh", s.setUp}},
		titles:  titles{root: "The mesh trusts the root that Vault has", serving: ofItsOwn, keys: nowhere},
		values:  func() (map[string]any, error) { return s.vault.Values() },
		root:    s.readRoot,
		replace: s.replace,
		stop:    s.stop,
	}
}

func (s *vaultStory) setUp(ctx context.Context) (err error) {
	if s.vault, err = operator.StartVault(ctx); err != nil {
		return err
	}
	root, err := s.vault.Root(ctx)
	if err != nil {
		return err
	}
	proof("Vault signs at %s/v1/%s/sign/%s", s.vault.Address, vault.Mount, vault.Role)
	proof("root %s, serial %x", root.Subject, root.SerialNumber)
	proof("the mesh gets a token that may sign there and read that role, and nothing else")
	return nil
}

func (s *vaultStory) stop() error {
	if s.vault == nil {
		return nil
	}
	return s.vault.Stop()
}

func (s *vaultStory) readRoot(ctx context.Context) (*x509.Certificate, error) {
	root, err := s.vault.Root(ctx)
	if err != nil {
		return nil, err
	}
	return root, s.showOutside(ctx, root)
}

// replace does what the guide says. Every sidecar trusts the new root before
// the mesh has anything signed with it.
func (s *vaultStory) replace(ctx context.Context) error {
	next, err := s.vault.PrepareRoot(ctx)
	if err != nil {
		return err
	}
	proof("Vault has another root, which does not sign yet: serial %x", next.SerialNumber)
	if err := s.vault.ReplaceRoot(ctx); err != nil {
		return err
	}
	proof("Vault signs with the new root; osm-controller looks once a minute which one that is")
	return s.trust(ctx, s.root, next)
}
