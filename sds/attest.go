package sds

import (
	"context"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	authenticationv1client "k8s.io/client-go/kubernetes/typed/authentication/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	corev1lister "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/rest"

	"github.com/osm-edge/osm/issuer"
)

// attestTimeout bounds an attestation, however many questions it asks.
const attestTimeout = 10 * time.Second

// PodAttestorOptions says what a PodAttestor works with. Every field is needed.
type PodAttestorOptions struct {
	// TrustDomain is that of the identities, for example "cluster.local".
	TrustDomain string
	// API reads the API server's token keys by path; any typed client's
	// RESTClient does.
	API rest.Interface
	// TokenReviews answers for tokens that the keys cannot decide.
	TokenReviews authenticationv1client.TokenReviewInterface
	// Pods is an informer's lister of all pods that may be injected. It needs
	// their metadata, spec.serviceAccountName and status.phase.
	Pods corev1lister.PodLister
	// LivePods is asked for a pod that the lister does not have yet.
	LivePods corev1client.PodsGetter
}

// PodAttestor attests the sidecars of pods by the service account token that
// the kubelet projects into them.
//
// A token is verified here, with the API server's published keys, so that a
// busy or absent API server keeps nobody from a certificate. Only where that
// cannot decide, for want of a key, the API server is asked to review it.
type PodAttestor struct {
	trustDomain string
	keys        keyCache
	reviewer    reviewer
	pods        pods
}

// NewPodAttestor returns a PodAttestor.
func NewPodAttestor(o PodAttestorOptions) *PodAttestor {
	return &PodAttestor{
		trustDomain: o.TrustDomain,
		keys:        keyCache{api: o.API},
		reviewer:    newReviewer(o.TokenReviews),
		pods:        newPods(o.Pods, o.LivePods),
	}
}

// Attest implements Attestor.
func (a *PodAttestor) Attest(ctx context.Context, token string) (Proxy, error) {
	ctx, cancel := context.WithTimeout(ctx, attestTimeout)
	defer cancel()
	b, err := a.verify(ctx, token)
	if err != nil {
		return Proxy{}, err
	}
	uuid, err := a.pods.check(ctx, b)
	if err != nil {
		return Proxy{}, err
	}
	id, err := issuer.NewIdentity(a.trustDomain, b.namespace, b.serviceAccount)
	if err != nil {
		return Proxy{}, refuse(ReasonOtherServiceAccount, "the service account cannot have a certificate: %s", err)
	}
	return Proxy{Identity: id, UUID: uuid, Namespace: b.namespace, PodName: b.pod.Name, PodUID: b.pod.UID}, nil
}

// Current implements Attestor. It asks nothing of the API server while the
// informer has the pod.
func (a *PodAttestor) Current(ctx context.Context, p Proxy) error {
	uuid, err := a.pods.check(ctx, binding{
		namespace:      p.Namespace,
		serviceAccount: p.Identity.ServiceAccount(),
		pod:            reference{Name: p.PodName, UID: p.PodUID},
	})
	if err != nil {
		return err
	}
	if uuid != p.UUID {
		return refuse(ReasonNotInjected, "the label %s of pod %s/%s changed; restart the pod", uuidLabel, p.Namespace, p.PodName)
	}
	return nil
}

// algorithms are those that API servers and their external signers use
// (KEP-740). Neither "none" nor a symmetric one is among them.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.ES384, jose.ES512}

// verify returns what the token proves.
func (a *PodAttestor) verify(ctx context.Context, token string) (binding, error) {
	parsed, err := jwt.ParseSigned(token, algorithms)
	if err != nil {
		return binding{}, refuse(ReasonMalformedToken, "the token is not a signed JSON web token of a kind that API servers issue").because(err)
	}
	var c claims
	if err := parsed.UnsafeClaimsWithoutVerification(&c); err != nil {
		return binding{}, refuse(ReasonMalformedToken, "the token's claims are malformed").because(err)
	}
	if err := c.check(time.Now()); err != nil {
		return binding{}, err
	}
	keys, err := a.keysFor(ctx, parsed.Headers[0], c.Issuer)
	if err != nil {
		return binding{}, err
	}
	if len(keys) == 0 {
		return a.reviewer.review(ctx, token)
	}
	for _, key := range keys {
		if parsed.Claims(key, &c) == nil {
			return c.binding(), nil
		}
	}
	return binding{}, refuse(ReasonSignature, "the token's signature is not the API server's")
}

// keysFor returns the keys that may have signed the token, none if they are not
// known. What is held may be outdated: a key or an issuer that it does not have
// is looked for at the API server.
func (a *PodAttestor) keysFor(ctx context.Context, header jose.Header, tokenIssuer string) ([]jose.JSONWebKey, error) {
	set, err := a.keys.get(ctx)
	if err == nil && (set.issuer != tokenIssuer || len(set.named(header.KeyID, header.Algorithm)) == 0) {
		set, err = a.keys.refresh(ctx)
	}
	if err != nil {
		return nil, nil // the reviewer decides, and reports an API server that is away
	}
	if set.issuer != tokenIssuer {
		return nil, refuse(ReasonIssuer, "the token is from issuer %q, this cluster's is %q", bounded(tokenIssuer), set.issuer)
	}
	return set.named(header.KeyID, header.Algorithm), nil
}
