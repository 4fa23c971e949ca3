package sds

import (
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
	"k8s.io/apimachinery/pkg/types"

	"github.com/osm-edge/osm/issuer"
)

// Audience is what a token must be meant for.
const Audience = "osm-sds"

// expiryLeeway forgives a clock that is a little ahead. A token whose time has
// not come yet is forgiven as much as certificates are: it proves no less.
const expiryLeeway = 10 * time.Second

// claims are those of a projected service account token (KEP-1205).
type claims struct {
	jwt.Claims
	Kubernetes struct {
		Namespace      string    `json:"namespace"`
		Pod            reference `json:"pod"`
		ServiceAccount reference `json:"serviceaccount"`
	} `json:"kubernetes.io"`
}

type reference struct {
	Name string    `json:"name"`
	UID  types.UID `json:"uid"`
}

// binding is what a token proves: that it was made for a service account and
// for one pod.
type binding struct {
	namespace      string
	serviceAccount reference
	pod            reference
}

// check refuses a token by what it says of itself, which needs no signature:
// a forger only has their own token refused.
func (c *claims) check(now time.Time) error {
	switch {
	case !slices.Contains(c.Audience, Audience):
		return refuse(ReasonAudience, "the token is not meant for audience %s; project a token of that audience into the pod", Audience)
	case c.Expiry == nil:
		return refuse(ReasonMalformedToken, "the token never expires; project a token of limited life into the pod")
	case now.After(c.Expiry.Time().Add(expiryLeeway)):
		return refuse(ReasonExpired, "the token expired at %s; read the token file again at every connection", c.Expiry.Time().UTC().Format(time.RFC3339))
	case c.NotBefore != nil && now.Add(issuer.ClockSkew).Before(c.NotBefore.Time()),
		c.IssuedAt != nil && now.Add(issuer.ClockSkew).Before(c.IssuedAt.Time()):
		return refuse(ReasonNotYetValid, "the token is not valid yet; compare the clocks of the control plane and the API server")
	}
	return c.binding().check(c.Subject)
}

func (c *claims) binding() binding {
	k := c.Kubernetes
	return binding{namespace: k.Namespace, serviceAccount: k.ServiceAccount, pod: k.Pod}
}

// subject is the user name of a service account.
func (b binding) subject() string {
	return "system:serviceaccount:" + b.namespace + ":" + b.serviceAccount.Name
}

// check refuses a binding that names no pod, or another user than subject.
func (b binding) check(subject string) error {
	switch {
	case b.namespace == "" || b.serviceAccount.Name == "" || b.serviceAccount.UID == "" || b.subject() != subject:
		return refuse(ReasonMalformedToken, "the token is not that of a Kubernetes service account")
	case b.pod.Name == "" || b.pod.UID == "":
		return refuse(ReasonNotBound, "the token is not bound to a pod; only the token that the kubelet projects into a pod is accepted")
	}
	return nil
}
