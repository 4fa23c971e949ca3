// Package bootstrap gives a mesh what it stands on: its custom resource
// definitions and the first of its own objects, its root certificate, the
// serving certificates of its webhooks, and the roots that the API server
// verifies those with. Each step can be
// repeated, alone or by many at once, and changes nothing that is right.
//
// The package does not know who uses the certificates.
package bootstrap

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset/typed/apiextensions/v1"
	"k8s.io/client-go/dynamic"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/rootsecret"
)

// Reporter tells the mesh's operator of roots, as by Events of the mesh
// namespace.
type Reporter interface {
	// Refused tells that a Secret cannot be used.
	Refused(ctx context.Context, refused *rootsecret.RefusedError) error
	// Renewed tells that the mesh has replaced the old root of its Secret.
	Renewed(ctx context.Context, secret string, old *x509.Certificate) error
	// Expiring tells, once a day, that a root ends that the mesh does not replace.
	Expiring(ctx context.Context, secret string, root *x509.Certificate) error
}

// CABundles sets the roots that the API server verifies the webhooks with.
type CABundles interface {
	// Publish sets the PEM bundle wherever it differs, and tells whether it did
	// anywhere.
	Publish(ctx context.Context, bundle []byte) (changed bool, err error)
}

// Trusted is the roots that the mesh trusts.
type Trusted struct {
	// All are the current ones and those that were replaced: a root that was
	// replaced still has servers that use its certificates.
	All issuer.TrustBundle
	// Current are those that have not been replaced.
	Current issuer.TrustBundle
}

// Options configures a Bootstrap. All are required where nothing else is said.
type Options struct {
	MeshNamespace string
	// Secrets is the client of the mesh namespace.
	Secrets typedcorev1.SecretInterface
	// ConfigMaps is the client of the mesh namespace.
	ConfigMaps typedcorev1.ConfigMapInterface
	CRDs       apiextensionsv1.CustomResourceDefinitionInterface
	// MeshConfigs and MeshRootCertificates are the clients of version v1 in the
	// mesh namespace.
	MeshConfigs, MeshRootCertificates dynamic.ResourceInterface
	// Preset is the name of the ConfigMap of the first MeshConfig and the first
	// MeshRootCertificate.
	Preset string
	// RootSecret is the name of the Secret of the root of an authority outside
	// of the cluster.
	RootSecret string
	// Labels are given to the objects that are created.
	Labels map[string]string
	// Trusted returns the roots that the mesh trusts, as far as osm-controller
	// has recorded them.
	Trusted   func(context.Context) (Trusted, error)
	CABundles CABundles
	// Settle is how long API servers may take to hear of another caBundle. That
	// long, a serving certificate that they accept is not replaced. Default: 0.
	Settle time.Duration
	// RenewalPercent is how much of its life is left when a root that the mesh
	// made is replaced, in percent. Default: 0, it never is.
	RenewalPercent int

	Reporter Reporter
	Logger   *slog.Logger
}

// Bootstrap carries out the steps. It is not for concurrent use.
type Bootstrap struct {
	Options
	told told
	// revoked are roots that the mesh's objects say so of.
	revoked issuer.TrustBundle
}

// New returns a Bootstrap.
func New(o Options) *Bootstrap { return &Bootstrap{Options: o} }

// Once carries out the steps until there is nothing left to do.
func (b *Bootstrap) Once(ctx context.Context) error {
	for {
		again, err := b.round(ctx)
		if err != nil || again == 0 {
			return err
		}
		if err := pause(ctx, again); err != nil {
			return err
		}
	}
}

// round carries out the steps in their order, and stops at the first that fails.
// If something has to wait it returns for how long, and is to be called again.
func (b *Bootstrap) round(ctx context.Context) (again time.Duration, err error) {
	if err := b.applyCRDs(ctx); err != nil {
		return 0, err
	}
	found, err := b.ownObjects(ctx)
	if err != nil {
		return 0, b.withoutObjects(ctx, err)
	}
	b.revoked = b.presentRoots(ctx, found.revoked...)
	trusted, err := b.trusted(ctx)
	if err != nil {
		return 0, err
	}
	if found.signing.Tresor == nil {
		return 0, b.signedElsewhere(ctx, found, trusted)
	}
	ca, err := b.ensureRoots(ctx, found.tresor, found.signing.Tresor.SecretRef.Name)
	if err != nil {
		return 0, err
	}
	return b.serveFromRoot(ctx, ca, trusted.All)
}

// ownObjects creates the mesh's own objects where there are none, and reads
// what they say of its roots.
func (b *Bootstrap) ownObjects(ctx context.Context) (authorities, error) {
	if err := b.presetConfig(ctx); err != nil {
		return authorities{}, err
	}
	roots, err := b.roots(ctx)
	return authoritiesOf(roots), err
}

// signedElsewhere does without the root's key: the webhooks have a CA that does
// not depend on the authority, for pods have to start while that is away.
func (b *Bootstrap) signedElsewhere(ctx context.Context, found authorities, trusted Trusted) error {
	if err := b.serveFromOwnCA(ctx, trusted.All, issuer.TrustBundle{}); err != nil {
		return err
	}
	if _, err := b.ensureRoots(ctx, found.tresor, ""); err != nil {
		return err
	}
	b.reportEnds(ctx, trusted.Current)
	switch {
	case found.signing.Vault != nil:
		return b.copyRoots(ctx, trusted.Current)
	case found.signing.CertManager != nil:
		return b.demandRoots(ctx)
	}
	return nil
}

// withoutObjects does what can be done while the mesh's own objects cannot be
// read: objects of an older release are not before they can be converted, which
// takes a serving certificate.
func (b *Bootstrap) withoutObjects(ctx context.Context, cause error) error {
	trusted, err := b.trusted(ctx)
	if err == nil {
		known := trusted.All.Union(b.presentRoots(ctx, b.RootSecret))
		err = b.serveFromOwnCA(ctx, known, known)
	}
	if err != nil {
		return fmt.Errorf("%w, after: %v", err, cause) // which is no excuse then
	}
	return cause
}

func (b *Bootstrap) trusted(ctx context.Context) (Trusted, error) {
	trusted, err := b.Trusted(ctx)
	if err != nil {
		return Trusted{}, fmt.Errorf("read the trusted roots: %w", err)
	}
	return trusted, nil
}
