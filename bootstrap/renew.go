package bootstrap

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

// DefaultRenewalPercent is when a root is renewed. Where none is to be, one that
// has less left is reported.
const DefaultRenewalPercent = 10

// action is what has to become of a root.
type action int

const (
	keep action = iota
	renew
	warn // that it ends, for the operator has to replace it
)

// actionFor decides by what is left of the root's life. Only what the mesh made
// itself is renewed.
func actionFor(root *x509.Certificate, percent int, now time.Time) action {
	limit := percent
	if limit == 0 {
		limit = DefaultRenewalPercent
	}
	life := root.NotAfter.Sub(root.NotBefore)
	switch {
	case root.NotAfter.Sub(now) >= life/100*time.Duration(limit):
		return keep
	case percent > 0 && tresor.IsOwn(root):
		return renew
	}
	return warn
}

// renewRoot replaces a root whose time has come, and returns the one that counts
// then: the same, where it cannot be replaced. All components follow, as when
// the Secret is deleted.
func (b *Bootstrap) renewRoot(ctx context.Context, name string, root rootsecret.Root) rootsecret.Root {
	switch actionFor(root.Certificate, b.RenewalPercent, time.Now()) {
	case warn:
		b.reportEnd(ctx, name, root.Certificate)
	case renew:
		next, renewed, err := b.store(name).Renew(ctx, root, newRoot)
		if errors.Is(err, rootsecret.ErrForeign) {
			b.reportEnd(ctx, name, root.Certificate)
			return root
		}
		if err != nil {
			b.beside(fmt.Errorf("renew the root: %w", b.reportRefusal(ctx, name, err)))
			return root
		}
		if renewed {
			b.reportRenewal(ctx, name, root.Certificate)
		}
		return next
	}
	return root
}

func (b *Bootstrap) reportRenewal(ctx context.Context, name string, old *x509.Certificate) {
	b.Logger.Info("the root is renewed", "secret", name, "ended", old.NotAfter.UTC())
	if err := b.Reporter.Renewed(ctx, name, old); err != nil {
		b.Logger.Warn("report that a root is renewed", "error", err)
	}
}

// reportEnds reports roots whose key the mesh does not have.
func (b *Bootstrap) reportEnds(ctx context.Context, roots trustbundle.TrustBundle) {
	for _, root := range roots.Roots() {
		if actionFor(root, 0, time.Now()) != keep {
			b.reportEnd(ctx, b.RootSecret, root)
		}
	}
}

// reportEnd is no reason to fail: there is more to do, and it is told again.
func (b *Bootstrap) reportEnd(ctx context.Context, name string, root *x509.Certificate) {
	if err := b.Reporter.Expiring(ctx, name, root); err != nil {
		b.Logger.Warn("report that a root expires", "error", err)
	}
}
