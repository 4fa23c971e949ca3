package provider

import (
	"context"
	"errors"
	"fmt"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/manifests/crd/v1"
)

// trustedName is the name, in logs and metrics, of all roots that are trusted.
const trustedName = "trusted"

// applied is what the Manager was told last.
type applied struct {
	signer  *authority
	state   *state
	current issuer.TrustBundle
	trusted issuer.TrustBundle
}

// reconcile brings the Manager to what the objects ask for, and says what came
// of it.
func (p *Provider) reconcile(ctx context.Context) error {
	roots, settled := p.roots(ctx)
	if !settled {
		return nil // what is not known yet tells when it is
	}
	err := p.use(ctx, roots)
	p.see(roots, err)
	if _, waits := errors.AsType[*waiting](err); waits {
		err = nil // there is nothing to try again
	}
	return errors.Join(err, p.report(ctx, roots))
}

// roots returns the objects with the state of their authorities, which it opens
// and closes as they ask for. It is settled when something is known of each.
func (p *Provider) roots(ctx context.Context) (roots []*root, settled bool) {
	settled = true
	wanted := map[string]*authority{}
	for _, object := range p.objects() {
		r := &root{object: object}
		roots = append(roots, r)
		if !r.used() {
			continue
		}
		r.authority = p.authorityOf(ctx, object)
		wanted[object.Name] = r.authority
		r.state = r.authority.latest.Load()
		settled = settled && r.state != nil
	}
	for name, a := range p.authorities {
		if wanted[name] != a && !p.signs(a) {
			a.close()
		}
	}
	p.authorities = wanted
	return roots, settled
}

// authorityOf returns the one that the object asks for, and opens it unless it
// is open.
func (p *Provider) authorityOf(ctx context.Context, object *v1.MeshRootCertificate) *authority {
	if a := p.authorities[object.Name]; a != nil && a.serves(object.Spec) {
		return a
	}
	if s := p.signer; s != nil && s.object.Name == object.Name && s.authority.serves(object.Spec) {
		return s.authority
	}
	return p.open(ctx, object)
}

func (p *Provider) signs(a *authority) bool { return p.signer != nil && p.signer.authority == a }

// use has the chosen root sign, if it can.
func (p *Provider) use(ctx context.Context, roots []*root) error {
	p.refresh(roots)
	chosen := choose(roots, p.signer)
	if chosen == nil {
		return p.waiting(roots)
	}
	failure := p.try(ctx, chosen)
	if failure != nil {
		failure = fmt.Errorf("MeshRootCertificate %s does not sign yet: %w", chosen.object.Name, failure)
		chosen = p.signer
	}
	return errors.Join(failure, p.apply(ctx, chosen, current(roots, chosen)))
}

// refresh takes in what became of the root that signs, and of its object.
func (p *Provider) refresh(roots []*root) {
	if p.signer == nil {
		return
	}
	signer := *p.signer
	signer.state = signer.authority.latest.Load()
	for _, r := range roots {
		if r.is(&signer) {
			signer.object = r.object
		}
	}
	p.signer = &signer
}

// apply has the root sign, once all are trusted throughout the mesh. Nothing is
// done twice: the Manager would ask an issuer that fails at once.
func (p *Provider) apply(ctx context.Context, signer *root, current issuer.TrustBundle) error {
	before := p.applied
	if before.signer == signer.authority && before.state == signer.state && before.current.Equal(current) {
		return nil
	}
	trusted, err := p.options.Trust(ctx, current)
	if err != nil {
		return fmt.Errorf("publish the trusted roots: %w", err)
	}
	err = p.options.Manager.SetRoots(ctx,
		issuer.Root{Name: signer.object.Name, Role: issuer.Active, Issuer: signer.state.issuer},
		issuer.Root{Name: trustedName, Role: issuer.Passive, Issuer: issuer.TrustedOnly(trusted)},
	)
	if err != nil {
		return err
	}
	p.applied = applied{signer.authority, signer.state, current, trusted}
	p.adopt(signer)
	return nil
}

// adopt makes it the root that signs.
func (p *Provider) adopt(signer *root) {
	former := p.signer
	p.signer = signer
	if former == nil || !former.is(signer) || !former.state.roots.Equal(signer.state.roots) {
		p.options.Logger.Info("a root signs", "name", signer.object.Name, "roots", signer.state.roots.String())
	}
	if former != nil && former.authority != signer.authority && p.authorities[former.object.Name] != former.authority {
		former.authority.close()
	}
}
