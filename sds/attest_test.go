package sds_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/sds"
)

func reason(t testing.TB, err error) sds.Reason {
	t.Helper()
	if err == nil {
		return ""
	}
	refusal, ok := errors.AsType[*sds.Refusal](err)
	if !ok {
		t.Fatalf("%v is not a refusal", err)
	}
	return refusal.Reason
}

func TestAttestReturnsThePodsProxy(t *testing.T) {
	c := newCluster(t)
	p := c.run(pod("bookstore", "bookstore-v2-abc", "bookstore-v2", nil))
	proxy, err := c.attestor().Attest(t.Context(), c.token(p))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := proxy.Identity.String(), "spiffe://cluster.local/ns/bookstore/sa/bookstore-v2"; got != want {
		t.Errorf("identity %s, want %s", got, want)
	}
	want := sds.Proxy{
		Identity: proxy.Identity, UUID: p.Labels["osm-proxy-uuid"],
		Namespace: p.Namespace, PodName: p.Name, PodUID: p.UID, AccountUID: accountUID,
	}
	if proxy != want {
		t.Errorf("proxy %+v, want %+v", proxy, want)
	}
	if c.lives+c.reviews != 0 {
		t.Errorf("asked the API server for %d pods and %d reviews, the informer and the keys suffice", c.lives, c.reviews)
	}
}

func TestAttestRefuses(t *testing.T) {
	type token = func(c *cluster, p *corev1.Pod) string
	claiming := func(change func(*tokenClaims)) token {
		return func(c *cluster, p *corev1.Pod) string {
			claims := c.claims(p)
			change(claims)
			return c.sign("key-1", claims)
		}
	}
	symmetric := func(c *cluster, p *corev1.Pod) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(strings.Repeat("k", 32))}, nil)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := jwt.Signed(signer).Claims(c.claims(p)).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	genuine := (*cluster).token
	cases := []struct {
		name   string
		pod    func(*corev1.Pod)
		token  token
		reason sds.Reason
	}{
		{name: "garbage", token: func(*cluster, *corev1.Pod) string { return "garbage" }, reason: sds.ReasonMalformedToken},
		{name: "a token without a signature", token: func(*cluster, *corev1.Pod) string {
			return "eyJhbGciOiJub25lIn0.e30." // {"alg":"none"}.{}
		}, reason: sds.ReasonMalformedToken},
		{name: "a symmetric signature", token: symmetric, reason: sds.ReasonMalformedToken},
		{name: "a signature by another key under a known id", token: func(c *cluster, p *corev1.Pod) string {
			return newCluster(c.t).token(p)
		}, reason: sds.ReasonSignature},
		{name: "claims that were changed after signing", token: func(c *cluster, p *corev1.Pod) string {
			parts := strings.Split(c.token(p), ".")
			other := strings.Split(c.token(pod(p.Namespace, p.Name, "admin", nil)), ".")
			return parts[0] + "." + other[1] + "." + parts[2]
		}, reason: sds.ReasonSignature},
		{name: "a forged token under an unknown key id", token: func(c *cluster, p *corev1.Pod) string {
			return c.sign("forged", c.claims(p))
		}, reason: sds.ReasonTokenReview},
		{name: "another issuer", token: claiming(func(c *tokenClaims) { c.Issuer = "https://elsewhere" }), reason: sds.ReasonIssuer},
		{name: "another audience", token: claiming(func(c *tokenClaims) { c.Audience = jwt.Audience{"vault"} }), reason: sds.ReasonAudience},
		{name: "no audience", token: claiming(func(c *tokenClaims) { c.Audience = nil }), reason: sds.ReasonAudience},
		{name: "an expired token", token: claiming(func(c *tokenClaims) {
			c.Expiry = jwt.NewNumericDate(time.Now().Add(-time.Minute))
		}), reason: sds.ReasonExpired},
		{name: "a token without an end", token: claiming(func(c *tokenClaims) { c.Expiry = nil }), reason: sds.ReasonMalformedToken},
		{name: "a token of the future", token: claiming(func(c *tokenClaims) {
			c.NotBefore = jwt.NewNumericDate(time.Now().Add(10 * time.Minute))
		}), reason: sds.ReasonNotYetValid},
		{name: "a token issued in the future", token: claiming(func(c *tokenClaims) {
			c.IssuedAt = jwt.NewNumericDate(time.Now().Add(10 * time.Minute))
		}), reason: sds.ReasonNotYetValid},
		{name: "a token that is not bound to a pod", token: claiming(func(c *tokenClaims) { c.Kubernetes.Pod = nil }), reason: sds.ReasonNotBound},
		{name: "a token of a user", token: claiming(func(c *tokenClaims) { c.Subject = "admin" }), reason: sds.ReasonMalformedToken},
		{name: "a token without the UID of its service account", token: claiming(func(c *tokenClaims) {
			c.Kubernetes.ServiceAccount.UID = ""
		}), reason: sds.ReasonMalformedToken},
		{name: "a service account that was made anew", token: claiming(func(c *tokenClaims) {
			c.Kubernetes.ServiceAccount.UID = "older"
		}), reason: sds.ReasonServiceAccountGone},
		{name: "a pod whose grace is over", token: genuine, pod: func(p *corev1.Pod) {
			p.DeletionTimestamp = &metav1.Time{Time: time.Now().Add(-time.Minute)}
		}, reason: sds.ReasonPodGone},
		{name: "a subject that is not the claimed account", token: claiming(func(c *tokenClaims) {
			c.Subject = "system:serviceaccount:bookstore:admin"
		}), reason: sds.ReasonMalformedToken},
		{name: "a pod that does not exist", token: claiming(func(c *tokenClaims) { c.Kubernetes.Pod.Name = "other" }), reason: sds.ReasonPodGone},
		{name: "a pod that was replaced", token: claiming(func(c *tokenClaims) { c.Kubernetes.Pod.UID = "older" }), reason: sds.ReasonPodGone},
		{name: "a pod of another service account", token: claiming(func(c *tokenClaims) {
			c.Subject = "system:serviceaccount:bookstore:admin"
			c.Kubernetes.ServiceAccount.Name = "admin"
		}), reason: sds.ReasonOtherServiceAccount},
		{name: "a pod without the proxy label", token: genuine, pod: func(p *corev1.Pod) { p.Labels = nil }, reason: sds.ReasonNotInjected},
		{name: "a proxy label that is no UUID", token: genuine, pod: func(p *corev1.Pod) {
			p.Labels["osm-proxy-uuid"] = "yes"
		}, reason: sds.ReasonNotInjected},
		{name: "a pod that succeeded", token: genuine, pod: func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }, reason: sds.ReasonPodFinished},
		{name: "a pod that failed", token: genuine, pod: func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }, reason: sds.ReasonPodFinished},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := newCluster(t)
			p := c.run(pod("bookstore", "bookstore-v2-abc", "bookstore-v2", tc.pod))
			token := tc.token(c, p)
			_, err := c.attestor().Attest(t.Context(), token)
			if got := reason(t, err); got != tc.reason {
				t.Fatalf("%q (%v), want %q", got, err, tc.reason)
			}
			if strings.Contains(err.Error(), token) {
				t.Fatalf("the refusal repeats the token: %v", err)
			}
		})
	}
}

func TestAttestForgivesClocksThatDiffer(t *testing.T) {
	c := newCluster(t)
	p := c.run(pod("bookstore", "bookstore-v2-abc", "bookstore-v2", nil))
	claims := c.claims(p)
	claims.NotBefore = jwt.NewNumericDate(time.Now().Add(4 * time.Minute))
	claims.IssuedAt = claims.NotBefore
	if _, err := c.attestor().Attest(t.Context(), c.sign("key-1", claims)); err != nil {
		t.Fatal(err)
	}
}

func TestAttestReadsAPodThatTheInformerDoesNotHave(t *testing.T) {
	c := newCluster(t)
	older := pod("bookstore", "bookstore-0", "bookstore-v2", func(p *corev1.Pod) { p.UID = "older" })
	newer := pod("bookstore", "bookstore-0", "bookstore-v2", nil)
	c.create(newer)
	a := c.attestor()
	for _, step := range []string{"not yet there", "still the pod before it"} {
		proxy, err := a.Attest(t.Context(), c.token(newer))
		if err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		if err := a.Current(t.Context(), proxy); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		c.cache(older)
	}
	if c.lives != 4 {
		t.Errorf("%d live reads, want 4", c.lives)
	}
}

func TestCurrentRefusesAProxyWhosePodIsGoneOrChanged(t *testing.T) {
	c := newCluster(t)
	p := c.run(pod("bookstore", "bookstore-v2-abc", "bookstore-v2", nil))
	a := c.attestor()
	proxy, err := a.Attest(t.Context(), c.token(p))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Current(t.Context(), proxy); err != nil {
		t.Fatal(err)
	}
	relabelled := p.DeepCopy()
	relabelled.Labels["osm-proxy-uuid"] = "00000000-0000-4000-8000-000000000000"
	c.cache(relabelled)
	if got := reason(t, a.Current(t.Context(), proxy)); got != sds.ReasonNotInjected {
		t.Errorf("another UUID: %q", got)
	}
	finished := p.DeepCopy()
	finished.Status.Phase = corev1.PodSucceeded
	c.cache(finished)
	if got := reason(t, a.Current(t.Context(), proxy)); got != sds.ReasonPodFinished {
		t.Errorf("a finished pod: %q", got)
	}
	c.delete(p)
	if got := reason(t, a.Current(t.Context(), proxy)); got != sds.ReasonPodGone {
		t.Errorf("a deleted pod: %q", got)
	}
	c.set(func() { c.away = true })
	if got := reason(t, a.Current(t.Context(), proxy)); got != sds.ReasonUnavailable {
		t.Errorf("no one to ask for a pod that the informer does not have: %q", got)
	}
}

func TestAttestFollowsTheAPIServersKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		p := c.run(pod("bookstore", "bookstore-v2-abc", "bookstore-v2", nil))
		a := c.attestor()
		attest := func(what, key string, want sds.Reason, fetches, reviews int) {
			t.Helper()
			_, err := a.Attest(t.Context(), c.sign(key, c.claims(p)))
			if got := reason(t, err); got != want {
				t.Fatalf("%s: %q (%v), want %q", what, got, err, want)
			}
			c.set(func() {
				if c.fetches != fetches || c.reviews != reviews {
					t.Fatalf("%s: %d fetches and %d reviews, want %d and %d", what, c.fetches, c.reviews, fetches, reviews)
				}
			})
		}
		attest("the first token", "key-1", "", 1, 0)
		attest("the second", "key-1", "", 1, 0)

		c.addKey("key-2")
		attest("a new key at once is for the API server to review", "key-2", "", 1, 1)
		time.Sleep(10 * time.Second)
		attest("a new key later is fetched", "key-2", "", 2, 1)
		attest("an unknown key is not looked for at every token", "forged", sds.ReasonTokenReview, 2, 2)

		c.set(func() { delete(c.keys, "key-1") })
		time.Sleep(10 * time.Minute)
		attest("keys are fetched now and then", "key-2", "", 3, 2)

		c.set(func() { c.away = true })
		time.Sleep(time.Hour)
		attest("an API server that is away is not needed", "key-2", "", 3, 2)
		attest("except for a key that is not known", "forged", sds.ReasonUnavailable, 3, 2)

		c.set(func() { c.away, c.issuer = false, "https://moved" })
		time.Sleep(time.Minute)
		attest("tokens of an issuer that was given up are refused by the API server", "key-2", sds.ReasonIssuer, 4, 3)
		c.set(func() { c.others = []string{clusterIssuer} })
		attest("and accepted while it has the issuer beside the first", "key-2", "", 4, 4)
		attest("but not by a signature that is not its own", "forged", sds.ReasonTokenReview, 4, 5)
	})
}

func TestAttestLetsTheAPIServerReviewWhatKeysCannotDecide(t *testing.T) {
	c := newCluster(t)
	p := c.run(pod("bookstore", "bookstore-v2-abc", "bookstore-v2", nil))
	c.set(func() { clear(c.keys) })
	a := c.attestor()
	if _, err := a.Attest(t.Context(), c.sign("unpublished", c.claims(p))); err != nil {
		t.Fatal(err)
	}
	claims := c.claims(p)
	claims.Expiry = jwt.NewNumericDate(time.Now().Add(-time.Minute))
	_, err := a.Attest(t.Context(), c.sign("unpublished", claims))
	if got := reason(t, err); got != sds.ReasonExpired || c.reviews != 1 {
		t.Fatalf("an expired token: %q after %d reviews, want no second review", got, c.reviews)
	}
}
