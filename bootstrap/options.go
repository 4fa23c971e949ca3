package bootstrap

import (
	"context"
	"crypto/x509"
	"log/slog"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset/typed/apiextensions/v1"
	"k8s.io/client-go/dynamic"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/osm-edge/osm/issuer/rootsecret"
	"github.com/osm-edge/osm/issuer/trustbundle"
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
	All trustbundle.TrustBundle
	// Current are those that have not been replaced.
	Current trustbundle.TrustBundle
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
	Reporter       Reporter
	Logger         *slog.Logger
}
