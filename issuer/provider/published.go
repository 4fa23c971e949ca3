package provider

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

// published is an authority whose roots can change, with those of them that the
// Manager has: they are trusted throughout the mesh. It refuses what leads to
// others, for no peer would accept that yet.
type published struct {
	issuer.Issuer
	roots trustbundle.TrustBundle
}

// errUnpublished says that a root is too new.
var errUnpublished = errors.New("the issuer signs with a root that is not trusted throughout the mesh yet")

// Roots implements issuer.Issuer.
func (p *published) Roots(context.Context) (trustbundle.TrustBundle, error) { return p.roots, nil }

// Issue implements issuer.Issuer.
func (p *published) Issue(ctx context.Context, req *issuer.Request, ttl time.Duration) ([]*x509.Certificate, error) {
	chain, err := p.Issuer.Issue(ctx, req, ttl)
	if err != nil || len(chain) == 0 {
		return chain, err
	}
	last := chain[len(chain)-1]
	for _, root := range p.roots.Roots() {
		if bytes.Equal(last.RawIssuer, root.RawSubject) && last.CheckSignatureFrom(root) == nil {
			return chain, req.Verify(chain, p.roots, time.Now())
		}
	}
	return nil, errUnpublished
}

// publish returns the issuer with these roots, the same as before for the same.
func publish(before, i issuer.Issuer, roots trustbundle.TrustBundle) issuer.Issuer {
	if p, ok := before.(*published); ok && p.Issuer == i && p.roots.Equal(roots) {
		return p
	}
	return &published{i, roots}
}
