package sds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"
	"k8s.io/client-go/rest"
)

const (
	// keysMaxAge is how long a key that the API server gave up may still verify.
	keysMaxAge = 10 * time.Minute
	// keysRetry spaces the questions to the API server, whatever is presented.
	keysRetry = 10 * time.Second
	// apiTimeout bounds a question to the API server that a proxy waits for.
	apiTimeout = 5 * time.Second
)

// keySet is what service account tokens are verified with.
type keySet struct {
	issuer  string
	keys    jose.JSONWebKeySet
	fetched time.Time
}

// keyCache holds the API server's keys. While the API server is away it keeps
// those it has: pods that run then can still prove who they are.
type keyCache struct {
	api      rest.Interface
	current  atomic.Pointer[keySet]
	fetching singleflight.Group

	mu        sync.Mutex
	attempted time.Time
}

var errAskedRecently = errors.New("the API server was asked for its keys a moment ago")

// get returns the keys; an error only if there are none. Of many who find them
// old, one fetches and the others go on.
func (c *keyCache) get(ctx context.Context) (*keySet, error) {
	set := c.current.Load()
	if set != nil && (time.Since(set.fetched) < keysMaxAge || !c.due()) {
		return set, nil
	}
	return c.refresh(ctx)
}

// refresh fetches the keys unless that was tried a moment ago, and returns the
// newest there are. Callers at the same time share one fetch.
func (c *keyCache) refresh(ctx context.Context) (*keySet, error) {
	done := c.fetching.DoChan("", func() (any, error) {
		if !c.attempt() {
			return nil, errAskedRecently
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), apiTimeout)
		defer cancel()
		set, err := c.fetch(ctx)
		if err == nil {
			c.current.Store(set)
		}
		return nil, err
	})
	var err error
	select {
	case result := <-done:
		err = result.Err
	case <-ctx.Done():
		err = ctx.Err()
	}
	if set := c.current.Load(); set != nil {
		return set, nil
	}
	return nil, err
}

func (c *keyCache) due() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.attempted) >= keysRetry
}

func (c *keyCache) attempt() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.attempted) < keysRetry {
		return false
	}
	c.attempted = time.Now()
	return true
}

// fetch asks the API server itself for what OpenID Connect discovery publishes
// (KEP-1393). The document's jwks_uri is for readers outside of the cluster.
func (c *keyCache) fetch(ctx context.Context) (*keySet, error) {
	var discovery struct {
		Issuer string `json:"issuer"`
	}
	if err := c.read(ctx, "/.well-known/openid-configuration", &discovery); err != nil {
		return nil, err
	}
	var published struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := c.read(ctx, "/openid/v1/jwks", &published); err != nil {
		return nil, err
	}
	set := &keySet{issuer: discovery.Issuer, fetched: time.Now()}
	for _, raw := range published.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(raw) == nil { // keys of other kinds are to be ignored: RFC 7517, section 5
			set.keys.Keys = append(set.keys.Keys, key)
		}
	}
	if set.issuer == "" || len(set.keys.Keys) == 0 {
		return nil, errors.New("the API server publishes no service account issuer or no key")
	}
	return set, nil
}

func (c *keyCache) read(ctx context.Context, path string, into any) error {
	body, err := c.api.Get().AbsPath(path).DoRaw(ctx)
	if err != nil {
		return fmt.Errorf("read %s of the API server: %w", path, err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("parse %s of the API server: %w", path, err)
	}
	return nil
}

// named returns the keys of that id that may verify signatures of the algorithm.
func (s *keySet) named(id, algorithm string) []jose.JSONWebKey {
	var keys []jose.JSONWebKey
	for _, key := range s.keys.Key(id) {
		if (key.Algorithm == "" || key.Algorithm == algorithm) && (key.Use == "" || key.Use == "sig") && key.IsPublic() {
			keys = append(keys, key)
		}
	}
	return keys
}
