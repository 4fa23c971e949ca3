package vault

import (
	"errors"
	"fmt"
	"strings"

	"github.com/osm-edge/osm/issuer/vault/names"
)

func (o Options) check() error {
	if err := names.CheckAddress(o.Address); err != nil {
		return fmt.Errorf("the address of vault: %w", err)
	}
	if err := names.CheckMount(o.Mount); err != nil {
		return fmt.Errorf("vault mount %q: %w", o.Mount, err)
	}
	if err := names.CheckRole(o.Role); err != nil {
		return fmt.Errorf("vault role %q: %w", o.Role, err)
	}
	if login, ok := o.Credentials.(Kubernetes); ok {
		if err := login.check(); err != nil {
			return err
		}
	}
	switch {
	case o.Credentials == nil:
		return errors.New("no credentials for vault: neither a token nor a Kubernetes login")
	case o.Given == nil && strings.HasPrefix(strings.ToLower(o.Address), "http:"):
		return errors.New("the address of vault is http and no roots are given: over http, anyone on the way can add one; use https, or give the roots")
	}
	return nil
}
