package sds

import (
	"context"
	"log/slog"

	"k8s.io/apimachinery/pkg/types"

	"github.com/osm-edge/osm/issuer"
	"github.com/osm-edge/osm/issuer/identity"
	"github.com/osm-edge/osm/issuer/trustbundle"
)

// Proxy is who a stream belongs to: the sidecar of one pod.
type Proxy struct {
	Identity  identity.Identity
	UUID      string // the pod's label osm-proxy-uuid
	Namespace string
	PodName   string
	PodUID    types.UID
	// AccountUID tells the service account from another of its name.
	AccountUID types.UID
}

// LogValue names the proxy in logs.
func (p Proxy) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("uuid", p.UUID),
		slog.String("identity", p.Identity.String()),
		slog.String("pod", p.Namespace+"/"+p.PodName),
	)
}

// Attestor finds out who asks. Both methods return a *Refusal when the answer
// is no; any other error means that they could not tell, and the proxy may try
// again.
type Attestor interface {
	// Attest returns the proxy that the token proves.
	Attest(ctx context.Context, token string) (Proxy, error)

	// Current reports whether the proxy still is what it was when it was
	// attested. It is asked before every push, and cheap.
	Current(ctx context.Context, p Proxy) error
}

// Acknowledgements gets to know which trust bundles are in use.
type Acknowledgements interface {
	// Acknowledged says that the proxy verifies its peers with the bundle from
	// now on. It is said once a stream and bundle, and must not block.
	Acknowledged(p Proxy, bundle trustbundle.TrustBundle)
}

// Source announces an identity's certificate and the trust bundle. It is what
// this package needs of an issuer.Manager.
type Source interface {
	Subscribe(id identity.Identity) *issuer.Subscription
}
