package bootstrap

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/issuer/tresor"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

// ensureRoots makes or adopts the root of every Secret, and returns the CA of
// the one that is named signing, if any is, and can be used. That one is renewed
// in time.
func (b *Bootstrap) ensureRoots(ctx context.Context, names []string, signing string) *tresor.CA {
	var ca *tresor.CA
	for _, name := range names {
		root, err := b.ensureRoot(ctx, name)
		if err == nil && name == signing {
			root = b.renewRoot(ctx, name, root)
			ca, err = tresor.New(root.Certificate, root.Key)
		}
		b.beside(err)
	}
	return ca
}

func (b *Bootstrap) ensureRoot(ctx context.Context, name string) (rootsecret.Root, error) {
	store := b.store(name)
	store.TrustDomain, store.Unwritten = b.trustDomain, b.beside
	root, err := store.Ensure(ctx, newRoot)
	if err != nil {
		return rootsecret.Root{}, b.reportRefusal(ctx, name, err)
	}
	return root, nil
}

func newRoot() (rootsecret.Root, error) {
	cert, key, err := tresor.NewRoot()
	return rootsecret.Root{Certificate: cert, Key: key}, err
}

func (b *Bootstrap) store(name string) *rootsecret.Store {
	return &rootsecret.Store{Secrets: b.Secrets, Name: name, Labels: b.Labels}
}

// copyRoots shows the roots of an authority outside of the cluster in the
// root's Secret, as soon as osm-controller has found them out.
func (b *Bootstrap) copyRoots(ctx context.Context, current trustbundle.TrustBundle) error {
	if current.IsEmpty() {
		return nil
	}
	if err := b.store(b.RootSecret).Copy(ctx, current); err != nil {
		return b.reportRefusal(ctx, b.RootSecret, err)
	}
	return nil
}

// demandRoots refuses a Secret without the roots that the operator has to put
// there.
func (b *Bootstrap) demandRoots(ctx context.Context, name string) error {
	secret, err := b.Secrets.Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		err = rootsecret.Missing(b.MeshNamespace, name)
	case err == nil:
		_, err = rootsecret.ParseRoots(secret, b.trustDomain, time.Now())
	}
	if err != nil {
		return b.reportRefusal(ctx, name, err)
	}
	return nil
}

// presentRoots are those that the Secrets show, as far as they can be read: one
// that was made a moment ago is not recorded as trusted yet.
func (b *Bootstrap) presentRoots(ctx context.Context, names ...string) trustbundle.TrustBundle {
	var present trustbundle.TrustBundle
	for _, name := range names {
		secret, err := b.Secrets.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			continue
		}
		if roots, err := trustbundle.Parse(secret.Data[rootsecret.CertificateKey]); err == nil {
			present = present.Union(roots)
		}
	}
	return present
}
