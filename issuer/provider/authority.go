package provider

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync/atomic"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/trustbundle"
	v1 "github.com/osm-edge/osm/manifests/crd/v1"
)

// authority is the certificate authority of a MeshRootCertificate, as its spec
// had it when it was opened.
type authority struct {
	spec   v1.MeshRootCertificateSpec
	latest atomic.Pointer[state] // nil before anything is known
	tried  *state                // that issued, or refused to, when it was tried
	trial  *problem              // how that came out
	cancel context.CancelFunc
	ended  chan struct{}
}

// state is what is known of an authority.
type state struct {
	issuer issuer.Issuer           // nil before it could sign
	roots  trustbundle.TrustBundle // empty before they are known
	// refused are roots that lie beside them and are not trusted.
	refused trustbundle.TrustBundle
	// notices are what an operator should know though it can be used.
	notices []problem
	// signs says what signs, where that is more than a root.
	signs string
	// ignored is what is passed over in what it was given.
	ignored string
	// problem is why it cannot be used, or why what changed of it is not; nil
	// if all is well.
	problem *problem
	// renewed grows when what the issuer failed at may be fixed.
	renewed int
}

// problem is what is wrong with an authority.
type problem struct {
	reason string // of a condition
	err    error
}

func (s *state) same(other *state) bool {
	return s.issuer == other.issuer && s.roots.Equal(other.roots) && s.refused.Equal(other.refused) && s.renewed == other.renewed &&
		s.problem.text() == other.problem.text() && s.signs == other.signs && s.ignored == other.ignored &&
		sameProblems(s.notices, other.notices)
}

func sameProblems(a, b []problem) bool {
	return slices.EqualFunc(a, b, func(a, b problem) bool { return a.text() == b.text() })
}

func (p *problem) text() string {
	if p == nil {
		return ""
	}
	return p.reason + ": " + p.err.Error()
}

// follower follows an authority until ctx ends, and tells of each state of it.
type follower func(ctx context.Context, tell func(state))

// open starts to follow the authority of an object, whatever kind it is of.
func (p *Provider) open(ctx context.Context, object *v1.MeshRootCertificate) *authority {
	a := &authority{spec: object.Spec, ended: make(chan struct{})}
	ctx, a.cancel = context.WithCancel(ctx)
	follow, err := p.follower(object)
	if err != nil {
		a.latest.Store(&state{problem: &problem{reasonRefused, err}})
		close(a.ended)
		return a
	}
	go func() {
		defer close(a.ended)
		follow(ctx, func(s state) {
			if before := a.latest.Load(); before == nil || !before.same(&s) {
				a.latest.Store(&s)
				p.Look()
			}
		})
	}()
	return a
}

func (p *Provider) follower(object *v1.MeshRootCertificate) (follower, error) {
	spec := object.Spec
	if mesh := p.options.Self.TrustDomain(); spec.TrustDomain != "" && spec.TrustDomain != mesh {
		return nil, fmt.Errorf("its trust domain is %q, and that of the mesh is %q%smake another MeshRootCertificate, with spec.trustDomain %[2]s", spec.TrustDomain, mesh, issuer.ToFix)
	}
	switch {
	case spec.Provider.Tresor != nil:
		return p.tresor(*spec.Provider.Tresor), nil
	case spec.Provider.Vault != nil:
		return p.vault(*spec.Provider.Vault)
	case spec.Provider.CertManager != nil:
		return p.certManager(object.Name, *spec.Provider.CertManager)
	}
	return nil, errors.New("its provider is of no kind that is known here" + issuer.ToFix + "make another MeshRootCertificate with tresor, vault or certManager, or upgrade the mesh")
}

// serves reports whether it is still the authority that a spec asks for.
func (a *authority) serves(spec v1.MeshRootCertificateSpec) bool {
	return reflect.DeepEqual(a.spec.Provider, spec.Provider) && a.spec.TrustDomain == spec.TrustDomain
}

// close ends what open started, and waits for that.
func (a *authority) close() {
	a.cancel()
	<-a.ended
}
