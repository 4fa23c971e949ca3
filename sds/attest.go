package sds

import (
	"context"
	"errors"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/sync/semaphore"
	authenticationv1client "k8s.io/client-go/kubernetes/typed/authentication/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	corev1lister "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/rest"

	"github.com/osm-edge/osm/issuer/identity"
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
	// ServiceAccounts is an informer's lister of all service accounts. It needs
	// their names, UIDs and deletion timestamps.
	ServiceAccounts corev1lister.ServiceAccountLister
	// LiveServiceAccounts is asked for one that the lister does not have yet.
	LiveServiceAccounts corev1client.ServiceAccountsGetter
}

// PodAttestor attests the sidecars of pods by the service account token that
// the kubelet projects into them.
//
// A token is verified here, with the API server's published keys, so that a
// busy or absent API server keeps no proxy from a certificate. Only where that
// cannot decide, for want of a key or of the issuer, the API server is asked to
// review it.
//
// What a token is bound to has to be there as the API server demands of it:
// the pod, and the service account with the very UID.
type PodAttestor struct {
	trustDomain string
	keys        keyCache
	reviewer    reviewer // of tokens whose key is not known
	signed      reviewer // of tokens that a known key has signed
	pods        pods
	accounts    accounts
}

// NewPodAttestor returns a PodAttestor.
func NewPodAttestor(o PodAttestorOptions) *PodAttestor {
	live := semaphore.NewWeighted(liveReads)
	return &PodAttestor{
		trustDomain: o.TrustDomain,
		keys:        keyCache{api: o.API},
		reviewer:    newReviewer(o.TokenReviews, reviewsPerSecond, reviewsAtOnce),
		signed:      newReviewer(o.TokenReviews, signedReviewsPerSecond, signedReviewsAtOnce),
		pods:        pods{cached: o.Pods, live: o.LivePods, slots: live},
		accounts:    accounts{cached: o.ServiceAccounts, live: o.LiveServiceAccounts, slots: live},
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
	uuid, err := a.stands(ctx, b)
	if err != nil {
		return Proxy{}, err
	}
	id, err := identity.New(a.trustDomain, b.namespace, b.serviceAccount.Name)
	if err != nil {
		return Proxy{}, refuse(ReasonOtherServiceAccount, "the service account cannot have a certificate: %s", err)
	}
	return Proxy{
		Identity: id, UUID: uuid, Namespace: b.namespace, PodName: b.pod.Name, PodUID: b.pod.UID, AccountUID: b.serviceAccount.UID,
	}, nil
}

// stands returns the proxy's UUID if what the token is bound to is there.
func (a *PodAttestor) stands(ctx context.Context, b binding) (uuid string, err error) {
	if uuid, err = a.pods.check(ctx, b); err != nil {
		return "", err
	}
	return uuid, a.accounts.check(ctx, b)
}

// Current implements Attestor. It asks nothing of the API server while the
// informer has the pod.
func (a *PodAttestor) Current(ctx context.Context, p Proxy) error {
	uuid, err := a.stands(ctx, binding{
		namespace:      p.Namespace,
		serviceAccount: reference{Name: p.Identity.ServiceAccount(), UID: p.AccountUID},
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
	keys, own, err := a.keysFor(ctx, parsed.Headers[0], c.Issuer)
	if err != nil || len(keys) == 0 {
		return a.reviewer.review(ctx, token) // which reports an API server that is away
	}
	for _, key := range keys {
		if parsed.Claims(key, &c) != nil {
			continue
		}
		if own {
			return c.binding(), nil
		}
		return a.reviewIssuer(ctx, token, c.Issuer)
	}
	return binding{}, refuse(ReasonSignature, "the token's signature is not the API server's")
}

// reviewIssuer has the API server decide on a token that it has signed, of an
// issuer that it does not publish: it publishes the first of its issuers, and
// accepts tokens of all of them.
func (a *PodAttestor) reviewIssuer(ctx context.Context, token, tokenIssuer string) (binding, error) {
	b, err := a.signed.review(ctx, token)
	if refusal, ok := errors.AsType[*Refusal](err); ok && refusal.Reason == ReasonTokenReview {
		return binding{}, refuse(ReasonIssuer, "the API server does not accept the token, which is from issuer %q", bounded(tokenIssuer)).because(err)
	}
	return b, err
}

// keysFor returns the keys that may have signed the token, none if they are not
// known, and whether they decide on tokens of its issuer. What is held may be
// outdated: a key or an issuer that it does not have is looked for at the API
// server.
func (a *PodAttestor) keysFor(ctx context.Context, header jose.Header, tokenIssuer string) (keys []jose.JSONWebKey, own bool, err error) {
	set, err := a.keys.get(ctx)
	if err == nil && (set.issuer != tokenIssuer || len(set.named(header.KeyID, header.Algorithm)) == 0) {
		set, err = a.keys.refresh(ctx)
	}
	if err != nil {
		return nil, false, err
	}
	return set.named(header.KeyID, header.Algorithm), set.issuer == tokenIssuer, nil
}
