package provider

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/trustbundle"
	"github.com/osm-edge/osm/issuer/vault"
	"github.com/osm-edge/osm/issuer/vault/names"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

// vault follows a PKI of Vault, and the Secrets of its token and its roots if
// there are any.
func (p *Provider) vault(spec v1.Vault) (follower, error) {
	credentials, token, err := p.vaultCredentials(spec)
	if err != nil {
		return nil, err
	}
	w := &vaultWatch{token: token, caBundle: spec.CABundle, trustDomain: p.options.Self.TrustDomain()}
	o := vault.Options{
		Address:     spec.Address,
		CA:          spec.CABundle,
		Mount:       spec.Mount,
		Role:        spec.Role,
		Credentials: credentials,
		Trial:       p.trial,
		Logger:      p.options.Logger,
	}
	if secret, given := spec.RootsSecret(p.options.RootSecret); given {
		w.roots = newVaultRoots(secret, spec)
		o.Given = w.roots.read
	}
	if w.ca, err = vault.New(o); err != nil {
		return nil, err
	}
	return func(ctx context.Context, tell func(state)) {
		var parts sync.WaitGroup
		parts.Go(func() { _ = w.ca.Run(ctx) }) // never fails
		if w.token != nil {
			parts.Go(func() { w.token.follow(ctx, p) })
		}
		if w.roots != nil {
			parts.Go(func() { w.roots.follow(ctx, p) })
		}
		w.run(ctx, tell)
		parts.Wait()
	}, nil
}

func (p *Provider) vaultCredentials(spec v1.Vault) (vault.Credentials, *vaultToken, error) {
	switch auth := spec.Auth; {
	case auth.TokenSecretRef != nil:
		token := newVaultToken(*auth.TokenSecretRef, spec.Address)
		return vault.Token{Read: token.read, Renewed: token.renewed}, token, nil
	case auth.Kubernetes != nil && !names.Same(spec.Address, p.options.VaultAddress):
		return nil, nil, fmt.Errorf("the mesh's service account may not log in at %s: if it may, name that address by the chart's values osm.vault.protocol, host and port, with osm upgrade", spec.Address)
	case auth.Kubernetes != nil:
		return vault.Kubernetes{Mount: auth.Kubernetes.MountPath, Role: auth.Kubernetes.Role, TokenFile: p.options.VaultTokenFile}, nil, nil
	}
	return nil, nil, nil
}

// vaultWatch is the PKI and what to ask it with.
type vaultWatch struct {
	ca    *vault.CA
	token *vaultToken // nil without a Secret
	roots *vaultRoots // nil without a Secret
	// caBundle is what verifies Vault itself.
	caBundle []byte
	// trustDomain is that of the names that its roots have to be able to certify.
	trustDomain string
}

// run reads the roots until they are known, and again when they change. That
// Vault is away later is no news here: whoever wants a certificate says so.
func (w *vaultWatch) run(ctx context.Context, tell func(state)) {
	var last state
	// Nothing is decided before it is known what the Secrets hold.
	if w.token != nil && !filled(ctx, w.token.changed) || w.roots != nil && !filled(ctx, w.roots.changed) {
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
		case <-w.roots.changes():
		case <-w.token.changes():
			last.renewed++
		case <-ctx.Done():
		}
	}
}

// look returns the state now. Without a token it cannot sign, and is trusted if
// its roots are given or were known before.
func (w *vaultWatch) look(ctx context.Context, last state) (state, error) {
	next := state{issuer: last.issuer, roots: last.roots, refused: last.refused, ignored: last.ignored, renewed: last.renewed}
	if next.problem = w.roots.problem(); next.problem == nil {
		next.problem = w.token.problem()
	}
	roots, err := w.ca.Roots(ctx)
	if err != nil && next.problem == nil {
		next.problem = &problem{reasonUnreachable, err}
		if errors.Is(err, vault.ErrDenied) {
			next.problem.reason = reasonFailing
		}
	}
	if err != nil {
		return next, err
	}
	if err := w.fit(roots); err != nil {
		next.problem = &problem{reasonRefused, err}
		return next, err
	}
	next.roots, next.refused, next.ignored = roots, w.ca.Refused(), w.passedOver()
	if next.problem == nil || next.issuer != nil {
		next.issuer = publish(last.issuer, w.ca, roots)
	}
	return next, nil
}

// passedOver describes what is ignored in what Vault and its roots are verified
// with.
func (w *vaultWatch) passedOver() string {
	all := w.roots.passedOver()
	if ignored := trustbundle.Ignored(w.caBundle); ignored != "" {
		all = strings.TrimSuffix("vault.caBundle, "+ignored+"; "+all, "; ")
	}
	return all
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
