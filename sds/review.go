package sds

import (
	"context"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	authenticationv1client "k8s.io/client-go/kubernetes/typed/authentication/v1"
	"k8s.io/client-go/util/flowcontrol"
)

// What of a token's binding the API server reports beside the user name.
const (
	extraPodName = "authentication.kubernetes.io/pod-name"
	extraPodUID  = "authentication.kubernetes.io/pod-uid"
)

// Reviews a second, and at once. Anyone who reaches the port can ask for one
// with a forged token; the API server must not be the one to pay for that. Tokens
// that a key of the API server has signed do not wait for the forged ones.
const (
	reviewsPerSecond       = 20
	reviewsAtOnce          = 50
	signedReviewsPerSecond = 50
	signedReviewsAtOnce    = 200
)

// reviewer lets the API server verify tokens.
type reviewer struct {
	api     authenticationv1client.TokenReviewInterface
	limiter flowcontrol.RateLimiter
}

func newReviewer(api authenticationv1client.TokenReviewInterface, perSecond float32, atOnce int) reviewer {
	return reviewer{api: api, limiter: flowcontrol.NewTokenBucketRateLimiter(perSecond, atOnce)}
}

func (r reviewer) review(ctx context.Context, token string) (binding, error) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	if err := r.limiter.Wait(ctx); err != nil {
		return binding{}, refuse(ReasonUnavailable, "too many tokens wait for the API server's review; try again").because(err)
	}
	review, err := r.api.Create(ctx, &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: []string{Audience}},
	}, metav1.CreateOptions{})
	if err != nil {
		return binding{}, refuse(ReasonUnavailable, "the API server, which must review the token, cannot be asked; try again").because(err)
	}
	return reviewed(review.Status)
}

// reviewed reads what the API server found. An API server that does not check
// audiences leaves them empty, and that is no.
func reviewed(s authenticationv1.TokenReviewStatus) (binding, error) {
	if !s.Authenticated {
		return binding{}, refuse(ReasonTokenReview, "the API server does not accept the token: %s", bounded(s.Error))
	}
	if !slices.Contains(s.Audiences, Audience) {
		return binding{}, refuse(ReasonAudience, "the API server does not confirm that the token is meant for audience %s", Audience)
	}
	namespace, account, _ := strings.Cut(strings.TrimPrefix(s.User.Username, "system:serviceaccount:"), ":")
	b := binding{
		namespace:      namespace,
		serviceAccount: reference{Name: account, UID: types.UID(s.User.UID)},
		pod:            reference{Name: only(s.User.Extra[extraPodName]), UID: types.UID(only(s.User.Extra[extraPodUID]))},
	}
	if err := b.check(s.User.Username); err != nil {
		return binding{}, err
	}
	return b, nil
}

func only(values authenticationv1.ExtraValue) string {
	if len(values) != 1 {
		return ""
	}
	return values[0]
}
