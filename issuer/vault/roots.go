package vault

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

// trust is a set of roots that was told to the owner.
type trust struct {
	bundle trustbundle.TrustBundle
	pool   *x509.CertPool
}

// Roots implements issuer.Issuer. It returns the roots that were given or, if
// none were, those that the role's own issuer chains to, and no other root that
// lies in the mount. While Vault cannot be asked, it returns those that it
// returned last, which are the only ones that Issue accepts.
func (ca *CA) Roots(ctx context.Context) (trustbundle.TrustBundle, error) {
	bundle, err := ca.readRoots(ctx)
	if err != nil {
		last := ca.trust.Load()
		if last == nil || ctx.Err() != nil {
			return trustbundle.TrustBundle{}, err
		}
		ca.options.Logger.Warn("cannot read the roots of Vault; the last known stay", "error", err)
		return last.bundle, nil
	}
	ca.trust.Store(&trust{bundle, bundle.Pool()})
	if refused, err := ca.readRefused(ctx, bundle); err == nil {
		ca.refused.Store(&refused)
	}
	return bundle, nil
}

// Refused returns the roots that lie in the mount and are not trusted, as Roots
// found them last: the role's issuer does not chain to them.
func (ca *CA) Refused() trustbundle.TrustBundle {
	if refused := ca.refused.Load(); refused != nil {
		return *refused
	}
	return trustbundle.TrustBundle{}
}

// Changed receives when the roots in Vault, those that are refused too, are no
// longer those that Roots found last, or when something else has become of the
// CA than Inspect found: its owner then has the Manager read them again.
func (ca *CA) Changed() <-chan struct{} { return ca.changed }

// Run keeps the token fresh and looks for other roots until ctx ends.
func (ca *CA) Run(ctx context.Context) error {
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		ca.session.run(ctx)
	}()
	ca.poll(ctx)
	<-kept
	return nil
}

func (ca *CA) poll(ctx context.Context) {
	tick := time.NewTicker(ca.options.Poll)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			ca.look(ctx)
		case <-ca.session.tried: // its owner may have looked before
			ca.look(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// look compares the roots in Vault, and whether it can sign, with what was told.
func (ca *CA) look(ctx context.Context) {
	if before := ca.standing.Load(); before != nil && !ca.Inspect(ctx).equal(*before) && ctx.Err() == nil {
		ca.tell()
	}
	ca.lookForRoots(ctx)
}

// lookForRoots compares the roots in Vault with those that were told. That Vault
// cannot be asked is what Inspect says.
func (ca *CA) lookForRoots(ctx context.Context) {
	last := ca.trust.Load()
	if last == nil {
		return
	}
	bundle, err := ca.readRoots(ctx)
	if err != nil {
		return
	}
	refused, err := ca.readRefused(ctx, bundle)
	if bundle.Equal(last.bundle) && (err != nil || refused.Equal(ca.Refused())) {
		return
	}
	if ca.tell() {
		ca.options.Logger.Info("the roots in Vault have changed", "roots", bundle.String(), "before", last.bundle.String(), "refused", refused.String())
	}
}

// tell has the owner look again, and reports whether it was not told already.
func (ca *CA) tell() bool {
	select {
	case ca.changed <- struct{}{}:
		return true
	default:
		return false
	}
}

func (ca *CA) trusted(ctx context.Context) (*trust, error) {
	if ca.trust.Load() == nil {
		if _, err := ca.Roots(ctx); err != nil {
			return nil, err
		}
	}
	return ca.trust.Load(), nil
}

func (ca *CA) readRoots(ctx context.Context) (trustbundle.TrustBundle, error) {
	if ca.options.Given != nil {
		return ca.options.Given(ctx)
	}
	signing, err := ca.readIssuer(ctx)
	if err != nil {
		return trustbundle.TrustBundle{}, fmt.Errorf("read the roots: %w", err)
	}
	roots, err := rootsAbove(signing.leaf, signing.authorities, time.Now())
	if err != nil {
		err = fmt.Errorf("vault at %s, role %s: %w", ca.server.address, ca.server.rolePath(), err)
		if errors.Is(err, ErrUnfit) {
			err = fmt.Errorf("%w%shave the role sign below a root that the mesh can use", err, issuer.ToFix)
		}
		return trustbundle.TrustBundle{}, err
	}
	if len(roots) == 0 {
		return trustbundle.TrustBundle{}, fmt.Errorf("vault at %s has no root certificate in %s that the issuer of role %[3]s chains to: generate one (%[2]s/root/generate/internal), or import that of the intermediate (%[2]s/issuers/import/cert)",
			ca.server.address, ca.server.mount, ca.server.role)
	}
	return trustbundle.New(roots...), nil
}

// readRefused returns the roots of the mount that are not among those that are
// trusted. Nothing but reports depends on it. Over http, anyone could fill it.
func (ca *CA) readRefused(ctx context.Context, trusted trustbundle.TrustBundle) (trustbundle.TrustBundle, error) {
	if ca.options.Given != nil {
		return trustbundle.TrustBundle{}, nil
	}
	certificates, err := ca.readAuthorities(ctx)
	if err != nil {
		return trustbundle.TrustBundle{}, err
	}
	pool := trusted.Roots()
	var refused []*x509.Certificate
	for _, certificate := range certificates {
		if issuer.CheckRoot(certificate, time.Now()) == nil && !slices.ContainsFunc(pool, certificate.Equal) {
			refused = append(refused, certificate)
		}
	}
	return trustbundle.New(refused...), nil
}
