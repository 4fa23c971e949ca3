package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	utilcache "k8s.io/apimachinery/pkg/util/cache"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	listersv1 "k8s.io/client-go/listers/core/v1"
)

const (
	// lookupTimeout leaves the API server time for an answer.
	lookupTimeout = 3 * time.Second
	// lookupRate and lookupBurst bound the look-ups of a replica, whatever callers
	// ask about. The cache is behind for moments, so that few are needed.
	lookupRate, lookupBurst = 5, 20
	// missTime is how long a namespace that is not the mesh's is not looked up
	// again, and maxMisses of how many that is remembered.
	missTime  = time.Second
	maxMisses = 1024
)

var (
	errLookups = errors.New("too many namespaces are looked up at once")
	errMissed  = errors.New("it was not the mesh's a moment ago")
)

// namespaces looks namespaces up in a cache, and asks the API server where that
// says that a namespace is not the mesh's. The webhook is called for the mesh's
// namespaces only, so the cache is then behind: a pod that is created right after
// its namespace was labelled would go without a sidecar.
type namespaces struct {
	cached    listersv1.NamespaceLister
	live      typedcorev1.NamespaceInterface
	monitored labels.Selector

	lookups sync.Once
	limit   *rate.Limiter
	misses  *utilcache.LRUExpireCache
	flights singleflight.Group
}

// Get implements injector.Namespaces.
func (n *namespaces) Get(name string) (*corev1.Namespace, error) {
	namespace, err := n.cached.Get(name)
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, err
	}
	if err == nil && n.isMonitored(namespace) {
		return namespace, nil
	}
	namespace, err = n.look(name)
	if err != nil {
		return nil, fmt.Errorf("look up namespace %s: %w", name, err)
	}
	return namespace, nil
}

func (n *namespaces) isMonitored(namespace *corev1.Namespace) bool {
	return n.monitored.Matches(labels.Set(namespace.Labels))
}

// look asks the API server. That a namespace is not the mesh's counts only if this
// call has asked: what others have seen may be older than the label.
func (n *namespaces) look(name string) (*corev1.Namespace, error) {
	n.lookups.Do(func() {
		n.limit, n.misses = rate.NewLimiter(lookupRate, lookupBurst), utilcache.NewLRUExpireCache(maxMisses)
	})
	if _, missed := n.misses.Get(name); missed {
		return nil, errMissed
	}
	asked := false
	found, err, _ := n.flights.Do(name, func() (any, error) {
		asked = true
		return n.ask(name)
	})
	if err != nil {
		return nil, err
	}
	namespace := found.(*corev1.Namespace)
	if !asked && !n.isMonitored(namespace) {
		return nil, errMissed
	}
	return namespace, nil
}

func (n *namespaces) ask(name string) (*corev1.Namespace, error) {
	if !n.limit.Allow() {
		return nil, errLookups
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	namespace, err := n.live.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && !n.isMonitored(namespace) {
		n.misses.Add(name, nil, missTime)
	}
	return namespace, err
}
