package provider

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/issuer/trustbundle"
	v1 "github.com/osm-edge/osm/manifests/crd/v1"
)

// applied is what the Manager was given last.
type applied struct {
	signer *authority // nil if nothing signs
	state  *state
	bundle trustbundle.TrustBundle
}

// signs is what the log says of the root that signs.
type signs struct{ name, roots string }

// reconcile brings the Manager to what the objects ask for, and says what came
// of it.
func (p *Provider) reconcile(ctx context.Context) error {
	roots, known := p.roots(ctx)
	if !known {
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
// and closes as they ask for. known is true when something is known of each.
func (p *Provider) roots(ctx context.Context) (roots []*root, known bool) {
	known = true
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
		known = known && r.state != nil
	}
	for name, a := range p.authorities {
		if wanted[name] != a && !p.signs(a) {
			a.close()
		}
	}
	p.authorities = wanted
	return roots, known
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

// use has the chosen root sign, if it can and may.
func (p *Provider) use(ctx context.Context, roots []*root) error {
	recorded, known := p.options.Rotation.State()
	p.refresh(roots, recorded)
	var failure error
	p.chosen, failure = p.choose(ctx, roots, recorded)
	switch {
	case p.chosen == nil && failure == nil:
		return p.waiting(roots)
	case p.chosen == nil:
		return failure
	}
	p.options.Rotation.Want(wanted(roots, p.chosen, recorded))
	if !known {
		return errors.Join(failure, &waiting{"it is not recorded yet which roots are trusted: the replica that leads does that"})
	}
	return errors.Join(failure, p.apply(recorded))
}

// refresh takes in what became of the root that signs, and of its object. Roots
// that may not sign yet do not replace those that do.
func (p *Provider) refresh(roots []*root, recorded rotation.State) {
	if p.signer == nil {
		return
	}
	signer := *p.signer
	if latest := signer.authority.latest.Load(); latest.issuer != nil && recorded.MaySign(latest.roots, p.issuedUntil()) {
		signer.state = latest
	}
	for _, r := range roots {
		if r.is(&signer) {
			signer.object = r.object
		}
	}
	p.signer = &signer
}

// issuedUntil returns when the last certificate ends that is issued now.
func (p *Provider) issuedUntil() time.Time {
	return time.Now().Add(p.options.RetirementPeriod() - issuer.ClockSkew)
}

// apply has the Manager do what is planned: the chosen root signs or, until it
// may, the former one, if it is still there. Nothing is done twice: the Manager
// would ask an issuer that fails at once.
func (p *Provider) apply(recorded rotation.State) error {
	candidates, roots := p.candidates()
	p.plan = recorded.Plan(p.issuedUntil(), roots...)
	next := applied{bundle: p.plan.Bundle}
	var signer *root
	var tell issuer.Signer
	if p.plan.Signer >= 0 {
		signer = candidates[p.plan.Signer]
		next.signer, next.state = signer.authority, signer.state
		tell = issuer.Signer{Name: signer.object.Name, Issuer: signer.state.issuer, Roots: signer.state.roots}
	}
	if before := p.applied; before.signer != next.signer || before.state != next.state || !before.bundle.Equal(next.bundle) {
		if err := p.options.Manager.SetTrust(next.bundle, tell); err != nil {
			return err
		}
		p.applied = next
		p.adopt(signer)
	}
	if signer == nil {
		return &waiting{fmt.Sprintf("MeshRootCertificate %s: its root may not sign, since it is being distributed or retires, and no other does", p.chosen.object.Name)}
	}
	return nil
}

// candidates returns those that can sign: the chosen root, and the one that signs.
func (p *Provider) candidates() (all []*root, roots []trustbundle.TrustBundle) {
	for _, r := range []*root{p.chosen, p.signer} {
		if r != nil && r.canSign() {
			all, roots = append(all, r), append(roots, r.state.roots)
		}
	}
	return all, roots
}

// adopt makes it the root that signs.
func (p *Provider) adopt(signer *root) {
	former := p.signer
	p.signer = signer
	latest := signs{}
	if signer != nil {
		latest = signs{signer.object.Name, signer.state.roots.String()}
		p.options.Rotation.Signs(signer.state.roots)
	} else {
		p.options.Rotation.Signs(trustbundle.TrustBundle{})
	}
	if latest != p.lastSigns && signer != nil {
		p.options.Logger.Info("a root signs", "name", latest.name, "roots", latest.roots)
	}
	p.lastSigns = latest
	p.leave(former)
}

// leave closes the authority of a root that signed, unless it is still used.
func (p *Provider) leave(former *root) {
	if former == nil || p.signer != nil && p.signer.authority == former.authority || p.authorities[former.object.Name] == former.authority {
		return
	}
	former.authority.close()
}
