package sds_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	corev1lister "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/rest"
	k8stesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"

	"github.com/osm-edge/osm/sds"
)

const clusterIssuer = "https://kubernetes.default.svc.cluster.local"

const accountUID = "uid-of-account"

// cluster stands in for an API server and its informers: keys over HTTP, pods
// and service accounts live and cached, token reviews.
type cluster struct {
	t        testing.TB
	client   *fake.Clientset
	cached   cache.Indexer // pods
	accounts cache.Indexer

	mu      sync.Mutex
	keys    map[string]crypto.Signer
	issuer  string
	others  []string // issuers that are accepted beside it
	away    bool     // the API server answers nothing
	fetches int      // of keys
	reviews int
	lives   int // pods read live
}

func newCluster(t testing.TB) *cluster {
	c := &cluster{
		t:        t,
		client:   fake.NewClientset(),
		cached:   cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc}),
		accounts: cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc}),
		keys:     map[string]crypto.Signer{},
		issuer:   clusterIssuer,
	}
	c.addKey("key-1")
	c.client.PrependReactor("get", "pods", func(k8stesting.Action) (bool, runtime.Object, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.lives++
		return c.away, nil, errAway
	})
	c.client.PrependReactor("create", "tokenreviews", c.review)
	return c
}

var errAway = errors.New("connection refused")

func (c *cluster) attestor() *sds.PodAttestor {
	config := &rest.Config{ContentConfig: rest.ContentConfig{GroupVersion: &corev1.SchemeGroupVersion, NegotiatedSerializer: scheme.Codecs}}
	api, err := rest.RESTClientForConfigAndClient(config, &http.Client{Transport: c})
	if err != nil {
		c.t.Fatal(err)
	}
	return sds.NewPodAttestor(sds.PodAttestorOptions{
		TrustDomain:         "cluster.local",
		API:                 api,
		TokenReviews:        c.client.AuthenticationV1().TokenReviews(),
		Pods:                corev1lister.NewPodLister(c.cached),
		LivePods:            c.client.CoreV1(),
		ServiceAccounts:     corev1lister.NewServiceAccountLister(c.accounts),
		LiveServiceAccounts: c.client.CoreV1(),
	})
}

// set changes the cluster while it is in use.
func (c *cluster) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}

func (c *cluster) addKey(id string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	c.set(func() { c.keys[id] = key })
}

// RoundTrip answers as the API server's discovery of token keys.
func (c *cluster) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away {
		return nil, errAway
	}
	var body any
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		c.fetches++
		body = map[string]string{"issuer": c.issuer, "jwks_uri": "https://unreachable.example/keys"}
	case "/openid/v1/jwks":
		keys := []any{map[string]string{"kty": "of the future", "kid": "key-1"}}
		for id, key := range c.keys {
			keys = append(keys, jose.JSONWebKey{Key: key.Public(), KeyID: id, Algorithm: "ES256", Use: "sig"})
		}
		body = map[string]any{"keys": keys}
	default:
		return &http.Response{StatusCode: http.StatusNotFound, Body: http.NoBody, Request: r}, nil
	}
	content, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: http.StatusOK,
		Header:     http.Header{"Content-Type": {"application/json"}},
		Body:       io.NopCloser(bytes.NewReader(content)),
		Request:    r,
	}, nil
}

// review believes every token of its issuers whose payload it can read: what
// matters is when it is asked, and what is made of its answer.
func (c *cluster) review(action k8stesting.Action) (bool, runtime.Object, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away {
		return true, nil, errAway
	}
	c.reviews++
	review := action.(k8stesting.CreateAction).GetObject().(*authenticationv1.TokenReview).DeepCopy()
	parsed, err := jwt.ParseSigned(review.Spec.Token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return true, nil, err
	}
	var claims tokenClaims
	if err := parsed.UnsafeClaimsWithoutVerification(&claims); err != nil {
		return true, nil, err
	}
	if strings.HasPrefix(parsed.Headers[0].KeyID, "forged") || !slices.Contains(append(c.others, c.issuer), claims.Issuer) {
		review.Status.Error = "invalid bearer token"
		return true, review, nil
	}
	review.Status.Authenticated = true
	review.Status.Audiences = review.Spec.Audiences
	review.Status.User.Username = claims.Subject
	review.Status.User.UID = claims.Kubernetes.ServiceAccount.UID
	review.Status.User.Extra = map[string]authenticationv1.ExtraValue{
		"authentication.kubernetes.io/pod-name": {claims.Kubernetes.Pod.Name},
		"authentication.kubernetes.io/pod-uid":  {claims.Kubernetes.Pod.UID},
	}
	return true, review, nil
}

// pod makes an injected pod; change, if not nil, makes it another kind.
func pod(namespace, name, account string, change func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name, UID: types.UID("uid-of-" + name),
			Labels: map[string]string{"osm-proxy-uuid": "1f0c2d1e-93f6-4f3a-8a53-4a1c38f1c1a0"},
		},
		Spec:   corev1.PodSpec{ServiceAccountName: account},
		Status: corev1.PodStatus{Phase: corev1.PodRunning},
	}
	if change != nil {
		change(p)
	}
	return p
}

// run adds the pod to the API server and to the informer.
func (c *cluster) run(p *corev1.Pod) *corev1.Pod {
	c.create(p)
	c.cache(p)
	return p
}

// create adds the pod to the API server alone, with its service account.
func (c *cluster) create(p *corev1.Pod) {
	c.account(p.Namespace, p.Spec.ServiceAccountName, accountUID)
	if _, err := c.client.CoreV1().Pods(p.Namespace).Create(c.t.Context(), p, metav1.CreateOptions{}); err != nil {
		c.t.Fatal(err)
	}
}

// account has the service account be there with that UID, in place of another.
func (c *cluster) account(namespace, name string, uid types.UID) *corev1.ServiceAccount {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: uid}}
	live := c.client.CoreV1().ServiceAccounts(namespace)
	_, err := live.Update(c.t.Context(), account, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		_, err = live.Create(c.t.Context(), account, metav1.CreateOptions{})
	}
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.accounts.Add(account); err != nil {
		c.t.Fatal(err)
	}
	return account
}

func (c *cluster) cache(p *corev1.Pod) {
	if err := c.cached.Add(p); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) delete(p *corev1.Pod) {
	if err := c.client.CoreV1().Pods(p.Namespace).Delete(c.t.Context(), p.Name, metav1.DeleteOptions{}); err != nil {
		c.t.Fatal(err)
	}
	if err := c.cached.Delete(p); err != nil {
		c.t.Fatal(err)
	}
}

type boundObject struct {
	Name string `json:"name"`
	UID  string `json:"uid"`
}

type tokenClaims struct {
	jwt.Claims
	Kubernetes struct {
		Namespace      string       `json:"namespace"`
		Pod            *boundObject `json:"pod,omitempty"`
		ServiceAccount boundObject  `json:"serviceaccount"`
	} `json:"kubernetes.io"`
}

// claims are those of the token that the kubelet projects into the pod.
func (c *cluster) claims(p *corev1.Pod) *tokenClaims {
	now := time.Now()
	claims := &tokenClaims{Claims: jwt.Claims{
		Issuer:    clusterIssuer,
		Subject:   "system:serviceaccount:" + p.Namespace + ":" + p.Spec.ServiceAccountName,
		Audience:  jwt.Audience{sds.Audience},
		IssuedAt:  jwt.NewNumericDate(now),
		NotBefore: jwt.NewNumericDate(now),
		Expiry:    jwt.NewNumericDate(now.Add(time.Hour)),
	}}
	claims.Kubernetes.Namespace = p.Namespace
	claims.Kubernetes.Pod = &boundObject{p.Name, string(p.UID)}
	claims.Kubernetes.ServiceAccount = boundObject{p.Spec.ServiceAccountName, accountUID}
	return claims
}

// sign makes a token with the cluster's key of that id, or with one that is not
// the cluster's.
func (c *cluster) sign(keyID string, claims *tokenClaims) string {
	c.mu.Lock()
	key := c.keys[keyID]
	c.mu.Unlock()
	if key == nil {
		other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			c.t.Fatal(err)
		}
		key = other
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: keyID}}, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		c.t.Fatal(err)
	}
	return token
}

func (c *cluster) token(p *corev1.Pod) string { return c.sign("key-1", c.claims(p)) }
