package provider

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

// trialTimeout bounds the wait for an authority that is tried.
const trialTimeout = 30 * time.Second

// try has an authority certify this process before its root is distributed, or
// the mesh leaves the one that signs for it: what is wrong with a token, a role
// or an approval shows by that alone. One that signed before this process started
// is taken as it is: while it is away, there are certificates to serve.
func (p *Provider) try(ctx context.Context, r *root, recorded rotation.State) error {
	a := r.authority
	switch {
	case p.signer != nil && p.signer.authority == a:
		return nil
	case p.signer == nil && recorded.Signing().Equal(r.state.roots) && meta.IsStatusConditionTrue(r.object.Status.Conditions, v1.ConditionSigning):
		return nil
	}
	if a.tried == r.state && a.trial == nil {
		return nil
	}
	err := p.certifySelf(ctx, r.state.issuer)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	a.tried, a.trial = r.state, nil
	if err != nil {
		a.trial = &problem{reasonFailing, err}
	}
	return err
}

func (p *Provider) certifySelf(ctx context.Context, i issuer.Issuer) error {
	ctx, cancel := context.WithTimeout(ctx, trialTimeout)
	defer cancel()
	return issuer.Try(ctx, i, p.options.Manager.KeyAlgorithm(), p.options.Self)
}

// trial makes a request for a certificate that is not used.
func (p *Provider) trial() (*issuer.Request, error) {
	return issuer.NewServiceRequest(p.options.Manager.KeyAlgorithm(), p.options.Self)
}
