package provider

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/certmanager"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/issuer/trustbundle"
	v1 "github.com/osm-edge/osm/manifests/crd/v1"
	"github.com/osm-edge/osm/manifests/follow"
)

// Objects is the client of the MeshRootCertificates of the mesh namespace.
type Objects interface {
	List(context.Context, metav1.ListOptions) (*v1.MeshRootCertificateList, error)
	Watch(context.Context, metav1.ListOptions) (watch.Interface, error)
	UpdateStatus(context.Context, *v1.MeshRootCertificate, metav1.UpdateOptions) (*v1.MeshRootCertificate, error)
}

// Options configures a Provider. All are required, unless they say otherwise.
type Options struct {
	Objects Objects
	// Client reads the Secrets that the objects refer to.
	Client kubernetes.Interface
	// CertManager is for those whose authority is cert-manager.
	CertManager certmanager.Client
	// Namespace is the mesh namespace, and Mesh the mesh's name.
	Namespace, Mesh string
	// Self is who this process is in the mesh, and Replica tells it from
	// others, as the name of its Pod does.
	Self    identity.Identity
	Replica string
	// RootSecret is the Secret of the roots that cert-manager's issuers lead to,
	// unless their MeshRootCertificate names another.
	RootSecret string
	// VaultAddress is the Vault of the chart's values, and VaultToken the Secret and
	// key that those name; empty without. Both are the operator's word on where a
	// login may be sent, which a MeshRootCertificate is not.
	VaultAddress string
	VaultToken   v1.SecretKeyReference
	// VaultTokenFile holds the service account's token for logins at Vault.
	VaultTokenFile string
	Manager        *issuer.Manager
	Rotation       Rotation
	// RetirementPeriod returns how long certificates may live that are signed now.
	RetirementPeriod func() time.Duration
	// Warn is told, where this process leads, what an operator should know of a
	// MeshRootCertificate that can be used, and the reason in a word: v1.ReasonRootsRefused
	// for each root that an authority has beside its own and that is not trusted, or
	// another of such a condition. May be nil.
	Warn func(ctx context.Context, name, reason, note string)
	// Ignored is told, where this process leads, of what is passed over in PEM
	// that an operator has given. May be nil.
	Ignored func(ctx context.Context, name, note string)
	Logger  *slog.Logger
}

// Rotation has roots trusted throughout the mesh before they sign, and as long
// as a certificate of them can live.
type Rotation interface {
	// Want says what this process finds that the mesh is to come to.
	Want(rotation.Wanted)
	// State returns how far the mesh has come, if that is known. Look is to be
	// called when it changes.
	State() (rotation.State, bool)
	// Signs says which roots this process signs with: none if it is empty.
	Signs(trustbundle.TrustBundle)
	// Leads reports whether this process is to say in the objects' status what
	// there is to say.
	Leads() bool
	// Status returns what the object of the root that is to sign has to say of
	// the rotation: nil if none is under way.
	Status() *v1.RotationStatus
}

// Provider has a Manager sign with the authority of the newest
// MeshRootCertificate that is Active, and trust those of the others. What is
// deleted, refused or away changes nothing: the authority that signed goes on
// to until another can.
type Provider struct {
	options  Options
	followed *follow.Follower[*v1.MeshRootCertificate]
	changed  chan struct{} // one slot: something is to be looked at
	failure  atomic.Pointer[error]
	view     atomic.Pointer[view]

	// Of Run alone.
	authorities map[string]*authority // by the object's name
	chosen      *root                 // that is to sign
	signer      *root                 // that does; nil while none may
	plan        rotation.Plan
	applied     applied
	lastSigns   signs
	written     map[types.UID]computed
	refused     map[types.UID]trustbundle.TrustBundle // that Warn was told of
	noticed     map[types.UID][]problem               // that Warn was told of last
	ignored     map[types.UID]string                  // that Ignored was told of
}

// New returns a Provider.
func New(o Options) *Provider {
	p := &Provider{
		options:     o,
		changed:     make(chan struct{}, 1),
		authorities: map[string]*authority{},
		written:     map[types.UID]computed{},
		refused:     map[types.UID]trustbundle.TrustBundle{},
		noticed:     map[types.UID][]problem{},
		ignored:     map[types.UID]string{},
	}
	p.followed = followObjects(o, p.Look)
	return p
}

// Ready returns nil while a root signs, and otherwise what keeps it from that.
func (p *Provider) Ready() error {
	failure := p.failure.Load()
	switch {
	case p.view.Load() != nil:
		return nil
	case failure == nil:
		return errors.New("the MeshRootCertificates, or what they refer to, are not read yet")
	}
	return *failure
}

// Look has Run look again at everything, as after a change of the issuer's
// health or of the Rotation.
func (p *Provider) Look() { wake(p.changed) }
