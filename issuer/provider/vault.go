package provider

import (
	"context"
	"sync"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/vault"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

// vault follows a PKI of Vault, and the Secret of its token if there is one.
func (p *Provider) vault(spec v1.Vault) (follower, error) {
	var credentials vault.Credentials
	var token *vaultToken
	if ref := spec.Auth.TokenSecretRef; ref != nil {
		token = newVaultToken(*ref)
		credentials = vault.Token{Read: token.read, Renewed: token.renewed}
	} else if k := spec.Auth.Kubernetes; k != nil {
		credentials = vault.Kubernetes{Mount: k.MountPath, Role: k.Role, TokenFile: p.options.VaultTokenFile}
	}
	ca, err := vault.New(vault.Options{
		Address:     spec.Address,
		CA:          spec.CABundle,
		Mount:       spec.Mount,
		Role:        spec.Role,
		Credentials: credentials,
		Logger:      p.options.Logger,
	})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, tell func(state)) {
		var parts sync.WaitGroup
		parts.Go(func() { _ = ca.Run(ctx) }) // never fails
		if token != nil {
			parts.Go(func() { token.follow(ctx, p) })
		}
		(&vaultWatch{ca, token}).run(ctx, tell)
		parts.Wait()
	}, nil
}

// vaultWatch is the PKI and what to ask it with.
type vaultWatch struct {
	ca    *vault.CA
	token *vaultToken // nil without a Secret
}

// run reads the roots until they are known, and again when they change. That
// Vault is away later is no news here: whoever wants a certificate says so.
func (w *vaultWatch) run(ctx context.Context, tell func(state)) {
	var tokenChanged <-chan struct{}
	if w.token != nil {
		tokenChanged = w.token.changed
		select { // nothing is decided before it is known whether there is one
		case <-tokenChanged:
		case <-ctx.Done():
			return
		}
	}
	var last state
	retry := firstRetry
	for ctx.Err() == nil {
		next, err := w.look(ctx, last)
		if ctx.Err() != nil {
			return
		}
		tell(next)
		last = next
		var due <-chan time.Time
		if err != nil {
			due = time.After(retry)
			retry = min(2*retry, lastRetry)
		}
		select {
		case <-due:
		case <-w.ca.Changed():
		case <-tokenChanged:
			last.renewed++
		case <-ctx.Done():
		}
	}
}

// look returns the state now. Without a token it cannot sign, and is trusted.
func (w *vaultWatch) look(ctx context.Context, last state) (state, error) {
	next := state{issuer: last.issuer, roots: last.roots, renewed: last.renewed}
	roots, err := w.ca.Roots(ctx)
	if err != nil {
		next.problem = &problem{reasonUnreachable, err}
		return next, err
	}
	next.roots = roots
	if w.token != nil {
		next.problem = w.token.problem()
	}
	if next.problem == nil || next.issuer != nil {
		next.issuer = publish(last.issuer, issuer.Issuer(w.ca), roots)
	}
	return next, nil
}
