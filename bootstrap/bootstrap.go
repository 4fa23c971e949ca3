// Package bootstrap gives a mesh what it stands on: its custom resource
// definitions and the first of its own objects, its root certificate, the
// serving certificates of its webhooks, and the roots that the API server
// verifies those with. Each step can be repeated, alone or by many at once, and
// changes nothing that is right.
//
// The package does not know who uses the certificates.
package bootstrap

import (
	"context"
	"fmt"
	"time"

	"github.com/osm-edge/osm/issuer"
)

// Bootstrap carries out the steps. It is not for concurrent use.
type Bootstrap struct {
	Options
	told told
	// revoked are roots that the mesh's objects say so of.
	revoked issuer.TrustBundle
	// trustDomain is that of the root that signs, empty if it is not known.
	trustDomain string
}

// New returns a Bootstrap.
func New(o Options) *Bootstrap { return &Bootstrap{Options: o} }

// Once carries out the steps until there is nothing left to do.
func (b *Bootstrap) Once(ctx context.Context) error {
	for {
		again, err := b.round(ctx)
		if err != nil || again == 0 {
			return err
		}
		if err := pause(ctx, again); err != nil {
			return err
		}
	}
}

// round carries out the steps in their order, and stops at the first that fails.
// If something has to wait it returns for how long, and is to be called again.
func (b *Bootstrap) round(ctx context.Context) (again time.Duration, err error) {
	if err := b.applyCRDs(ctx); err != nil {
		return 0, err
	}
	found, err := b.ownObjects(ctx)
	if err != nil {
		return 0, b.withoutObjects(ctx, err)
	}
	b.revoked = b.presentRoots(ctx, found.revoked...)
	b.trustDomain = found.trustDomain
	trusted, err := b.trusted(ctx)
	if err != nil {
		return 0, err
	}
	if found.signing.Tresor == nil {
		return 0, b.signedElsewhere(ctx, found, trusted)
	}
	ca, err := b.ensureRoots(ctx, found.tresor, found.signing.Tresor.SecretRef.Name)
	if err != nil {
		return 0, err
	}
	return b.serveFromRoot(ctx, ca, trusted.All)
}

// ownObjects creates the mesh's own objects where there are none, and reads
// what they say of its roots.
func (b *Bootstrap) ownObjects(ctx context.Context) (authorities, error) {
	if err := b.presetConfig(ctx); err != nil {
		return authorities{}, err
	}
	roots, err := b.roots(ctx)
	return authoritiesOf(roots), err
}

// signedElsewhere does without the root's key: the webhooks have a CA that does
// not depend on the authority, for pods have to start while that is away.
func (b *Bootstrap) signedElsewhere(ctx context.Context, found authorities, trusted Trusted) error {
	if err := b.serveFromOwnCA(ctx, trusted.All, issuer.TrustBundle{}); err != nil {
		return err
	}
	if _, err := b.ensureRoots(ctx, found.tresor, ""); err != nil {
		return err
	}
	b.reportEnds(ctx, trusted.Current)
	switch {
	case found.signing.Vault != nil:
		name, given := found.signing.Vault.RootsSecret(b.RootSecret)
		if given {
			if err := b.demandRoots(ctx, name); err != nil || name == b.RootSecret {
				return err
			}
		}
		return b.copyRoots(ctx, trusted.Current)
	case found.signing.CertManager != nil:
		return b.demandRoots(ctx, found.signing.CertManager.RootsSecret(b.RootSecret))
	}
	return nil
}

// withoutObjects does what can be done while the mesh's own objects cannot be
// read: objects of an older release are not before they can be converted, which
// takes a serving certificate.
func (b *Bootstrap) withoutObjects(ctx context.Context, cause error) error {
	trusted, err := b.trusted(ctx)
	if err == nil {
		known := trusted.All.Union(b.presentRoots(ctx, b.RootSecret))
		err = b.serveFromOwnCA(ctx, known, known)
	}
	if err != nil {
		return fmt.Errorf("%w, after: %v", err, cause) // which is no excuse then
	}
	return cause
}

func (b *Bootstrap) trusted(ctx context.Context) (Trusted, error) {
	trusted, err := b.Trusted(ctx)
	if err != nil {
		return Trusted{}, fmt.Errorf("read the trusted roots: %w", err)
	}
	return trusted, nil
}
