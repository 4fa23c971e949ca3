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

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset/typed/apiextensions/v1"
	"k8s.io/client-go/dynamic"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/issuer/tresor"
)

// Reporter tells the mesh's operator, as by an Event of the mesh namespace,
// that a Secret cannot be used.
type Reporter interface {
	Refused(ctx context.Context, refused *rootsecret.RefusedError) error
}

// CABundles sets the roots that the API server verifies the webhooks with.
type CABundles interface {
	// Publish sets the PEM bundle wherever it differs.
	Publish(ctx context.Context, bundle []byte) error
}

// Options configures a Bootstrap. All are required.
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
	// RootSecret is the name of the root's Secret.
	RootSecret string
	// Labels are given to the objects that are created.
	Labels map[string]string
	// Trusted returns the roots that are trusted beside the current one: a
	// root that was replaced still has servers that use its certificates.
	Trusted   func(context.Context) (issuer.TrustBundle, error)
	CABundles CABundles
	Reporter  Reporter
	Logger    *slog.Logger
}

// Bootstrap carries out the steps.
type Bootstrap struct{ Options }

// New returns a Bootstrap.
func New(o Options) *Bootstrap { return &Bootstrap{o} }

// Once carries out the steps in their order, and stops at the first that fails.
func (b *Bootstrap) Once(ctx context.Context) error {
	if err := b.applyCRDs(ctx); err != nil {
		return err
	}
	if err := b.presetConfig(ctx); err != nil {
		return err
	}
	if _, err := b.roots(ctx); err != nil {
		return err
	}
	root, err := b.root(ctx)
	if err != nil {
		return err
	}
	// The API server has to trust the root before any server uses it.
	if err := b.publish(ctx, root.Certificate); err != nil {
		return err
	}
	ca, err := tresor.New(root.Certificate, root.Key)
	if err != nil {
		return err
	}
	return b.serve(ctx, ca)
}

// root makes the mesh's root or adopts the one that is there.
func (b *Bootstrap) root(ctx context.Context) (rootsecret.Root, error) {
	store := &rootsecret.Store{Secrets: b.Secrets, Name: b.RootSecret, Labels: b.Labels}
	root, err := store.Ensure(ctx, newRoot)
	if err != nil {
		return rootsecret.Root{}, b.reportRefusal(ctx, err)
	}
	return root, nil
}

func newRoot() (rootsecret.Root, error) {
	cert, key, err := tresor.NewRoot()
	return rootsecret.Root{Certificate: cert, Key: key}, err
}

func (b *Bootstrap) publish(ctx context.Context, root *x509.Certificate) error {
	trusted, err := b.Trusted(ctx)
	if err != nil {
		return fmt.Errorf("read the trusted roots: %w", err)
	}
	bundle := trusted.Union(issuer.NewTrustBundle(root))
	if err := b.CABundles.Publish(ctx, bundle.PEM()); err != nil {
		return fmt.Errorf("publish the webhooks' roots: %w", err)
	}
	return nil
}
