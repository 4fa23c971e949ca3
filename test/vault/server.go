// Package vault runs a real Vault for tests, sets it up as the guide says, and takes it away again: sealed, stopped, or with
// another certificate authority.
//
// It knows Vault's API and nothing of the mesh.
package vault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hashicorp/vault/api"

	"github.com/osm-edge/osm/test/vault/binary"
)

// Options says how a Server is to run.
type Options struct {
	// Dir keeps what Vault holds. It must exist and be empty.
	Dir string
	// TLS has it serve HTTPS, with a certificate of a CA of its own.
	TLS bool
}

// Server is a Vault. Its address stays the same for as long as it exists, whether it runs or not.
type Server struct {
	// Address is the URL of its API.
	Address string
	// Token is the root token.
	Token string
	// CA is the PEM of the CA that its certificate is of; empty without TLS.
	CA []byte

	options Options
	binary  string
	key     string // unseals
	process *process
}

// Start runs a new Vault on a port of loopback, initialised, unsealed and empty. The caller stops it.
func Start(ctx context.Context, o Options) (*Server, error) {
	dir, err := binary.Build(ctx, os.Stderr)
	if err != nil {
		return nil, err
	}
	s := &Server{options: o, binary: filepath.Join(dir, binary.Name)}
	if o.TLS {
		if s.CA, err = writeServing(o.Dir); err != nil {
			return nil, fmt.Errorf("make Vault's certificate: %w", err)
		}
	}
	g, err := s.run(ctx, "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.Address, s.Token, s.key = g.Address, g.Token, g.Key
	return s, nil
}

// Client returns one with the given token that does not try again by itself.
func (s *Server) Client(token string) (*api.Client, error) {
	config := api.DefaultConfig()
	if config.Error != nil {
		return nil, config.Error
	}
	config.Address, config.MaxRetries = s.Address, 0
	if s.CA != nil {
		if err := config.ConfigureTLS(&api.TLSConfig{CACertBytes: s.CA}); err != nil {
			return nil, err
		}
	}
	client, err := api.NewClient(config)
	if err != nil {
		return nil, err
	}
	client.SetToken(token)
	return client, nil
}

// Seal has it refuse everything until it is unsealed.
func (s *Server) Seal(ctx context.Context) error {
	client, err := s.Client(s.Token)
	if err != nil {
		return err
	}
	return client.Sys().SealWithContext(ctx)
}

// Unseal undoes Seal, and what a start does.
func (s *Server) Unseal(ctx context.Context) error {
	client, err := s.Client("")
	if err != nil {
		return err
	}
	status, err := client.Sys().UnsealWithContext(ctx, s.key)
	if err != nil {
		return fmt.Errorf("unseal: %w", err)
	}
	if status.Sealed {
		return errors.New("unseal: still sealed")
	}
	return nil
}
