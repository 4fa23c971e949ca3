package bootstrap

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/osm-edge/osm/issuer/trustbundle"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// publication is what the API server was last given to trust, and since when this
// process knows. One that is started anew knows nothing, and waits anew.
type publication struct {
	bundle trustbundle.TrustBundle
	since  time.Time
}

// publish has the API server trust the roots, and the authorities that the
// servers need. A webhook without a configuration is not called, so that nothing
// waits for it.
func (b *Bootstrap) publish(ctx context.Context, roots trustbundle.TrustBundle, servers []*server) error {
	for _, s := range servers {
		roots = roots.Union(s.trusted(b.revoked, time.Now()))
	}
	changed, err := b.CABundles.Publish(ctx, roots.PEM())
	if onlyMissing(err) {
		b.beside(fmt.Errorf("publish the webhooks' roots: %w", err))
		err = nil
	}
	if err != nil {
		b.last = publication{}
		return fmt.Errorf("publish the webhooks' roots: %w", err)
	}
	if changed || !roots.Equal(b.last.bundle) {
		b.last = publication{roots, time.Now()}
	}
	return nil
}

// settling returns for how long API servers may still not have heard of what
// was published: each watches the objects by itself.
func (b *Bootstrap) settling() time.Duration {
	return max(0, b.Settle-time.Since(b.last.since))
}

// accepted tells whether the API server takes the server's present certificate.
func (b *Bootstrap) accepted(s *server) bool {
	_, err := verifyServing(s.secret, b.last.bundle, s.host, time.Now())
	return err == nil
}

// onlyMissing tells whether err is that objects do not exist, and nothing else.
func onlyMissing(err error) bool {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return apierrors.IsNotFound(err)
	}
	return !slices.ContainsFunc(joined.Unwrap(), func(err error) bool { return !onlyMissing(err) })
}
