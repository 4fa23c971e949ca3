package provider

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/certmanager"
	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/issuer/trustbundle"
	v1 "github.com/osm-edge/osm/manifests/crd/v1"
)

// maxReplica leaves room in a label for what tells authorities apart.
const maxReplica = 50

// certManager follows an issuer of cert-manager, and the Secret of the roots
// that the operator says it leads to.
func (p *Provider) certManager(name string, spec v1.CertManager) (follower, error) {
	roots := &givenRoots{}
	ref := certmanager.Reference{Name: spec.IssuerRef.Name, Kind: spec.IssuerRef.Kind, Group: spec.IssuerRef.Group}
	i, err := certmanager.New(certmanager.Options{
		Client:    p.options.CertManager,
		Namespace: p.options.Namespace,
		Issuer:    ref,
		Roots:     roots.read,
		Mesh:      p.options.Mesh,
		Holder:    p.holder(name, ref),
		Logger:    p.options.Logger,
	})
	if err != nil {
		return nil, err
	}
	secretName := spec.RootsSecret(p.options.RootSecret)
	return func(ctx context.Context, tell func(state)) {
		var parts sync.WaitGroup
		parts.Go(func() { _ = i.Run(ctx) }) // never fails
		var last state
		p.followSecret(ctx, secretName, func(secret *corev1.Secret, err error) {
			last = p.given(secretName, secret, err, i, last)
			if given := last.roots; !given.IsEmpty() {
				roots.latest.Store(&given) // a copy: last is another next time
			}
			tell(last)
		})
		parts.Wait()
	}, nil
}

// leftOut says of each certificate of a Secret that is not trusted why.
func leftOut(secret *corev1.Secret, certificates []rootsecret.LeftOut) (notices []problem) {
	for _, left := range certificates {
		notices = append(notices, problem{reasonLeftOut, fmt.Errorf("key %q of secret %s/%s: %q is left out and not trusted: %w: remove it from there, or replace it",
			rootsecret.CertificateKey, secret.Namespace, secret.Name, cut(left.Certificate.Subject.String(), mostSubject), left.Reason)})
	}
	return notices
}

// given returns the state that the Secret of the roots leads to.
func (p *Provider) given(name string, secret *corev1.Secret, err error, i issuer.Issuer, last state) state {
	last.problem = nil
	if err != nil {
		last.problem = p.unreadable(nil, name, "", err)
		return last
	}
	if secret == nil {
		last.problem = &problem{reasonSecretMissing, rootsecret.Missing(p.options.Namespace, name)}
		return last
	}
	roots, err := rootsecret.ParseRoots(secret, p.options.Self.TrustDomain(), time.Now())
	if err != nil {
		last.problem = &problem{reasonRefused, err}
		return last
	}
	return state{issuer: publish(last.issuer, i, roots.TrustBundle), roots: roots.TrustBundle, notices: leftOut(secret, roots.LeftOut), ignored: ignoredIn(secret)}
}

// holder is whose requests they are: this process may have several authorities
// for a while, and each takes away what it does not wait for.
func (p *Provider) holder(name string, ref certmanager.Reference) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%s/%v", p.options.Replica, name, ref))
	replica := p.options.Replica
	return replica[:min(len(replica), maxReplica)] + "." + hex.EncodeToString(sum[:4])
}

// givenRoots are the roots that an operator has given.
type givenRoots struct {
	latest atomic.Pointer[trustbundle.TrustBundle]
}

func (g *givenRoots) read(context.Context) (trustbundle.TrustBundle, error) {
	if roots := g.latest.Load(); roots != nil {
		return *roots, nil
	}
	return trustbundle.TrustBundle{}, errors.New("they are not read yet")
}
