package provider

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
	v1 "github.com/osm-edge/osm/manifests/crd/v1"
)

// tresor follows the root of a Secret. One that is deleted or refused leaves
// the root that was there.
func (p *Provider) tresor(spec v1.Tresor) follower {
	return func(ctx context.Context, tell func(state)) {
		var last state
		var root *x509.Certificate
		p.followSecret(ctx, spec.SecretRef.Name, func(secret *corev1.Secret, err error) {
			last.problem = p.unreadable(secret, spec.SecretRef.Name, "with the root certificate: osm-bootstrap creates it", err)
			if last.problem == nil {
				root, last = p.adoptRoot(ctx, secret, root, last)
			}
			tell(last)
		})
	}
}

// adoptRoot returns the state that the Secret leads to, the same for the same
// root. Another one counts when peers accept a trial certificate of it.
func (p *Provider) adoptRoot(ctx context.Context, secret *corev1.Secret, before *x509.Certificate, last state) (*x509.Certificate, state) {
	root, err := rootsecret.Parse(secret, time.Now())
	if err == nil && root.Certificate.Equal(before) {
		last.ignored = ignoredIn(secret)
		return before, last
	}
	var ca *tresor.CA
	if err == nil {
		ca, err = tresor.New(root.Certificate, root.Key)
	}
	if err == nil {
		err = rootsecret.CheckNames(secret, p.options.Self.TrustDomain(), root.Certificate)
	}
	if err == nil {
		if err = issuer.Try(ctx, ca, p.options.Manager.KeyAlgorithm(), p.options.Self); err != nil {
			err = rootsecret.RefuseCertificate(secret, err)
		}
	}
	if err != nil {
		last.problem = &problem{reasonRefused, err}
		return before, last
	}
	return root.Certificate, state{issuer: ca, roots: trustbundle.New(root.Certificate), ignored: ignoredIn(secret)}
}

// unreadable says what is wrong with a Secret that cannot be read, or is not
// there.
func (p *Provider) unreadable(secret *corev1.Secret, name, what string, err error) *problem {
	switch {
	case apierrors.IsForbidden(err):
		return &problem{reasonUnreachable, fmt.Errorf("read secret %s/%s: %w%slet osm-controller get, list and watch it, as the chart's Role does", p.options.Namespace, name, err, issuer.ToFix)}
	case err != nil:
		return &problem{reasonUnreachable, fmt.Errorf("read secret %s/%s: %w", p.options.Namespace, name, err)}
	case secret == nil:
		return &problem{reasonSecretMissing, fmt.Errorf("secret %s/%s is not there, %s", p.options.Namespace, name, what)}
	}
	return nil
}
