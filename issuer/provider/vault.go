package provider

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/vault"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

// vault follows a PKI of Vault, and the Secret of its token if there is one.
func (p *Provider) vault(spec v1.Vault) (follower, error) {
	credentials, token := p.vaultCredentials(spec.Auth)
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
		(&vaultWatch{ca, token, p.options.Self.TrustDomain()}).run(ctx, tell)
		parts.Wait()
	}, nil
}

func (p *Provider) vaultCredentials(auth v1.VaultAuth) (vault.Credentials, *vaultToken) {
	switch {
	case auth.TokenSecretRef != nil:
		token := newVaultToken(*auth.TokenSecretRef)
		return vault.Token{Read: token.read, Renewed: token.renewed}, token
	case auth.Kubernetes != nil:
		return vault.Kubernetes{Mount: auth.Kubernetes.MountPath, Role: auth.Kubernetes.Role, TokenFile: p.options.VaultTokenFile}, nil
	}
	return nil, nil
}

// vaultWatch is the PKI and what to ask it with.
type vaultWatch struct {
	ca    *vault.CA
	token *vaultToken // nil without a Secret
	// trustDomain is that of the names that its roots have to be able to certify.
	trustDomain string
}

// run reads the roots until they are known, and again when they change. That
// Vault is away later is no news here: whoever wants a certificate says so.
func (w *vaultWatch) run(ctx context.Context, tell func(state)) {
	var last state
	if !w.awaitToken(ctx) {
		return
	}
	for retry := firstRetry; ctx.Err() == nil; {
		next, err := w.look(ctx, last)
		if ctx.Err() != nil {
			return
		}
		tell(next)
		last = next
		var due <-chan time.Time
		if err != nil {
			due, retry = time.After(retry), min(2*retry, lastRetry)
		}
		select {
		case <-due:
		case <-w.ca.Changed():
		case <-w.token.changes():
			last.renewed++
		case <-ctx.Done():
		}
	}
}

// awaitToken waits until it is known whether there is one: nothing is decided
// before. It returns false when ctx ends.
func (w *vaultWatch) awaitToken(ctx context.Context) bool {
	if w.token == nil {
		return true
	}
	select {
	case <-w.token.changes():
		return true
	case <-ctx.Done():
		return false
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
	if err := w.fit(roots); err != nil {
		next.problem = &problem{reasonRefused, err}
		return next, err
	}
	next.roots = roots
	next.problem = w.token.problem()
	if next.problem == nil || next.issuer != nil {
		next.issuer = publish(last.issuer, w.ca, roots)
	}
	return next, nil
}

// fit refuses roots that may not certify the mesh's names.
func (w *vaultWatch) fit(roots issuer.TrustBundle) error {
	for _, root := range roots.Roots() {
		if err := issuer.CheckNames(root, issuer.Names{TrustDomain: w.trustDomain}); err != nil {
			return fmt.Errorf("vault's root %q: %w", root.Subject, err)
		}
	}
	return nil
}
