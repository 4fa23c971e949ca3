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
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/osm-edge/osm/issuer/trustbundle"
)

// Bootstrap carries out the steps. It is not for concurrent use.
type Bootstrap struct {
	Options
	last publication
	// revoked are roots that the mesh's objects say so of.
	revoked trustbundle.TrustBundle
	// trustDomain is that of the root that signs, empty if it is not known.
	trustDomain string
	// asides are failures of the round, and unserved is that of the process's own
	// serving certificate.
	asides   []error
	unserved error
}

// result is what has come of a round.
type result struct {
	// again is when something is to be done that has to wait; zero if nothing is.
	again time.Duration
	// err is what keeps the API server from calling what it has to call, or may.
	err error
	// asides are what has failed beside: the status of an object says it, or a
	// component that is not ready.
	asides []error
}

func (r result) failure() error { return errors.Join(r.err, errors.Join(r.asides...)) }

// New returns a Bootstrap.
func New(o Options) *Bootstrap { return &Bootstrap{Options: o} }

// Once carries out the steps until there is nothing left to do, or one fails that
// the others depend on.
func (b *Bootstrap) Once(ctx context.Context) error {
	for {
		r := b.round(ctx)
		if r.err != nil || r.again == 0 {
			return r.failure()
		}
		if err := pause(ctx, r.again); err != nil {
			return err
		}
	}
}

// round carries out the steps in their order. Of those that the API server does
// not depend on, one that fails does not keep the others from being carried out.
func (b *Bootstrap) round(ctx context.Context) result {
	b.asides, b.unserved = nil, nil
	again, err := b.steps(ctx)
	return result{again, errors.Join(err, b.unserved), b.asides}
}

// beside notes, once, that a step has failed which the API server does not
// depend on.
func (b *Bootstrap) beside(err error) {
	same := func(other error) bool { return other.Error() == err.Error() }
	if err != nil && !slices.ContainsFunc(b.asides, same) {
		b.asides = append(b.asides, err)
	}
}

func (b *Bootstrap) steps(ctx context.Context) (again time.Duration, err error) {
	if err := b.applyCRDs(ctx); err != nil {
		return 0, err
	}
	found, err := b.ownObjects(ctx)
	if err != nil {
		b.beside(err)
		return 0, b.withoutObjects(ctx)
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
	ca := b.ensureRoots(ctx, found.tresor, found.signing.Tresor.SecretRef.Name)
	if ca == nil {
		return 0, b.serveFromOwnCA(ctx, trusted.All, trusted.All)
	}
	return b.serveFromRoot(ctx, ca, trusted.All)
}

// ownObjects creates the mesh's own objects where there are none, and reads
// what they say of its roots. It fails when they cannot be read.
func (b *Bootstrap) ownObjects(ctx context.Context) (authorities, error) {
	err := b.presetConfig(ctx)
	if isUnreadable(err) {
		return authorities{}, err
	}
	b.beside(err)
	roots, err := b.roots(ctx)
	if isUnreadable(err) {
		return authorities{}, err
	}
	b.beside(err)
	return authoritiesOf(roots), nil
}

// signedElsewhere does without the root's key: the webhooks have a CA that does
// not depend on the authority, for pods have to start while that is away.
func (b *Bootstrap) signedElsewhere(ctx context.Context, found authorities, trusted Trusted) error {
	if err := b.serveFromOwnCA(ctx, trusted.All, trustbundle.TrustBundle{}); err != nil {
		return err
	}
	b.ensureRoots(ctx, found.tresor, "")
	b.reportEnds(ctx, trusted.Current)
	switch {
	case found.signing.Vault != nil:
		name, given := found.signing.Vault.RootsSecret(b.RootSecret)
		if given {
			b.beside(b.demandRoots(ctx, name))
		}
		if !given || name != b.RootSecret {
			b.beside(b.copyRoots(ctx, trusted.Current))
		}
	case found.signing.CertManager != nil:
		b.beside(b.demandRoots(ctx, found.signing.CertManager.RootsSecret(b.RootSecret)))
	}
	return nil
}

// withoutObjects does what can be done while the mesh's own objects cannot be
// read: objects of an older release are not before they can be converted, which
// takes a serving certificate.
func (b *Bootstrap) withoutObjects(ctx context.Context) error {
	trusted, err := b.trusted(ctx)
	if err != nil {
		return err
	}
	known := trusted.All.Union(b.presentRoots(ctx, b.RootSecret))
	return b.serveFromOwnCA(ctx, known, known)
}

func (b *Bootstrap) trusted(ctx context.Context) (Trusted, error) {
	trusted, err := b.Trusted(ctx)
	if err != nil {
		return Trusted{}, fmt.Errorf("read the trusted roots: %w", err)
	}
	return trusted, nil
}
