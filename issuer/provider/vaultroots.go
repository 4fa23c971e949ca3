package provider

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/issuer/trustbundle"
	v1 "github.com/osm-edge/osm/manifests/crd/v1"
)

// vaultRoots are the roots of Vault that an operator has put into a Secret. Those
// that were read last stay where it is taken away or refused.
type vaultRoots struct {
	name    string        // of the Secret
	fix     string        // beside what the Secret's own refusal says
	changed chan struct{} // one slot: they, or what is wrong with them, are others

	mu      sync.Mutex
	roots   trustbundle.TrustBundle
	leftOut []problem
	ignored string // beside them
	wrong   *problem
}

func newVaultRoots(name string, spec v1.Vault) *vaultRoots {
	r := &vaultRoots{name: name, changed: make(chan struct{}, 1)}
	if spec.RootsSecretRef == nil {
		r.fix = "; over http, the roots that Vault itself returns can be from anyone: name a Secret with ca.crt in vault.rootsSecretRef, or use https"
	}
	return r
}

// follow reads the Secret whenever it changes.
func (r *vaultRoots) follow(ctx context.Context, p *Provider) {
	first := true
	p.followSecret(ctx, r.name, func(secret *corev1.Secret, err error) {
		var roots rootsecret.Roots
		var ignored string
		var wrong *problem
		switch {
		case err != nil:
			wrong = p.unreadable(nil, r.name, "", err)
		case secret == nil:
			wrong = &problem{reasonSecretMissing, r.explain(rootsecret.Missing(p.options.Namespace, r.name))}
		default:
			if roots, err = rootsecret.ParseRoots(secret, p.options.Self.TrustDomain(), time.Now()); err != nil {
				wrong = &problem{reasonRefused, r.explain(err)}
			}
			ignored = ignoredIn(secret)
		}
		if r.set(roots.TrustBundle, leftOut(secret, roots.LeftOut), ignored, wrong) || first {
			first = false
			wake(r.changed)
		}
	})
}

func (r *vaultRoots) explain(err error) error { return fmt.Errorf("%w%s", err, r.fix) }

// set takes in what the Secret says, and reports whether that is new.
func (r *vaultRoots) set(roots trustbundle.TrustBundle, leftOut []problem, ignored string, wrong *problem) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	changed := r.wrong.text() != wrong.text()
	r.wrong = wrong
	if wrong == nil && (!roots.Equal(r.roots) || !sameProblems(leftOut, r.leftOut) || ignored != r.ignored) {
		r.roots, r.leftOut, r.ignored, changed = roots, leftOut, ignored, true
	}
	return changed
}

// passedOver returns what is ignored beside the roots, nothing without a Secret.
func (r *vaultRoots) passedOver() string {
	if r == nil {
		return ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ignored
}

// changes receives when the roots, or what is wrong with them, are others; never
// without a Secret.
func (r *vaultRoots) changes() <-chan struct{} {
	if r == nil {
		return nil
	}
	return r.changed
}

// problem returns what is wrong with the roots, and what was left out of them;
// nothing without a Secret.
func (r *vaultRoots) problem() (wrong *problem, leftOut []problem) {
	if r == nil {
		return nil, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.wrong, slices.Clone(r.leftOut)
}

// read is what Vault's CA is given.
func (r *vaultRoots) read(context.Context) (trustbundle.TrustBundle, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !r.roots.IsEmpty():
		return r.roots, nil
	case r.wrong != nil:
		return trustbundle.TrustBundle{}, r.wrong.err
	}
	return trustbundle.TrustBundle{}, errors.New("the roots' secret is not read yet")
}
