package provider

import (
	"context"
	"time"

	"github.com/osm-edge/osm/issuer"
)

// trialTimeout bounds the wait for an authority that is tried.
const trialTimeout = 30 * time.Second

// try has an authority certify this process before the mesh leaves the one that
// signs for it: what is wrong with a token, a role or an approval shows by that
// alone.
func (p *Provider) try(ctx context.Context, r *root) error {
	a := r.authority
	if p.signer == nil || p.signer.authority == a {
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
	return issuer.Try(ctx, i, p.options.Self)
}

// trial makes a request for a certificate that nobody uses.
func (p *Provider) trial() (*issuer.Request, error) {
	return issuer.NewServiceRequest(issuer.DefaultKeyAlgorithm, p.options.Self)
}
