package provider

import (
	"context"
	"crypto/x509"
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
		return nil, nil, fmt.Errorf("the mesh's service account may not log in at %s%sif it may, name that address by the chart's values osm.vault.protocol, host and port, with osm upgrade", spec.Address, issuer.ToFix)
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

// run reads the roots until they are known, and again when they change, or
// whether Vault would sign.
func (w *vaultWatch) run(ctx context.Context, tell func(state)) {
	var last state
	// Nothing is decided before it is known what the Secrets hold.
	if w.token != nil && !filled(ctx, w.token.changed) || w.roots != nil && !filled(ctx, w.roots.changed) {
		return
	}
	for retry := retries(); ctx.Err() == nil; {
		next, err := w.look(ctx, last)
		if ctx.Err() != nil {
			return
		}
		tell(next)
		last = next
		var due <-chan time.Time
		if err != nil {
			due = time.After(retry.Step())
		} else {
			retry = retries()
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
	given, notices := w.roots.problem()
	if next.problem = given; next.problem == nil {
		next.problem = w.token.problem()
	}
	all, err := w.ca.Roots(ctx)
	if err != nil {
		if next.problem == nil {
			next.problem = &problem{vaultReason(err), err}
		}
		return next, err
	}
	roots, unfit := w.fit(all)
	if roots.IsEmpty() && len(unfit) > 0 {
		next.problem = &problem{reasonRefused, fmt.Errorf("%w%shave the role %s sign below a root that may certify the names of the mesh", unfit[0].err, issuer.ToFix, w.ca.RolePath())}
		return next, next.problem.err
	}
	next.roots, next.refused, next.notices, next.ignored = roots, w.ca.Refused(), append(notices, unfit...), w.passedOver()
	if next.problem == nil {
		err = w.inspect(ctx, &next)
	}
	if next.problem == nil || next.problem.reason == reasonUnreachable || next.issuer != nil {
		next.issuer = publish(last.issuer, w.ca, roots)
	}
	return next, err
}

// inspect takes in whether Vault would sign, and for how long.
func (w *vaultWatch) inspect(ctx context.Context, next *state) error {
	standing := w.ca.Inspect(ctx)
	if standing.Err != nil {
		next.problem = &problem{vaultReason(standing.Err), standing.Err}
	}
	if standing.Issuer != nil {
		next.signs = fmt.Sprintf("role %s signs with %q", w.ca.RolePath(), cut(standing.Issuer.Subject.String(), mostSubject))
	}
	if !standing.TokenEnds.IsZero() {
		next.notices = append(next.notices, problem{reasonTokenEnds, fmt.Errorf("the token for Vault ends at %s and cannot be renewed beyond that: put another into secret %s before, such as one with a period",
			standing.TokenEnds.UTC().Format(time.RFC3339), w.token.ref.Name)})
	}
	if standing.Granted != 0 {
		next.notices = append(next.notices, problem{reasonShortened, fmt.Errorf("vault grants certificates %s of the %s that are asked for, so that they are renewed as much more often: raise max_ttl of the role or of the mount",
			standing.Granted, standing.Asked)})
	}
	return standing.Err
}

// vaultReason tells a Vault that does not answer from one that answers what the
// mesh cannot use.
func vaultReason(err error) string {
	switch {
	case errors.Is(err, vault.ErrUnreachable), errors.Is(err, context.DeadlineExceeded):
		return reasonUnreachable
	case errors.Is(err, vault.ErrUnfit):
		return reasonRefused
	}
	return reasonFailing
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

// fit returns the roots that may certify the mesh's names, and why others may not.
func (w *vaultWatch) fit(roots issuer.TrustBundle) (fit issuer.TrustBundle, unfit []problem) {
	var all []*x509.Certificate
	for _, root := range roots.Roots() {
		if err := issuer.CheckNames(root, issuer.Names{TrustDomain: w.trustDomain}); err != nil {
			unfit = append(unfit, problem{reasonLeftOut, fmt.Errorf("vault's root %q is not trusted: %w", root.Subject, err)})
			continue
		}
		all = append(all, root)
	}
	return issuer.NewTrustBundle(all...), unfit
}
