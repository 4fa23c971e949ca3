package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	listersv1 "k8s.io/client-go/listers/core/v1"
)

// lookupTimeout leaves the API server time for an answer.
const lookupTimeout = 3 * time.Second

// namespaces looks namespaces up in a cache, and asks the API server where that
// says that a namespace is not the mesh's. The webhook is called for the mesh's
// namespaces only, so the cache is then behind: a pod that is created right after
// its namespace was labelled would go without a sidecar.
type namespaces struct {
	cached    listersv1.NamespaceLister
	live      typedcorev1.NamespaceInterface
	monitored labels.Selector
}

// Get implements injector.Namespaces.
func (n *namespaces) Get(name string) (*corev1.Namespace, error) {
	namespace, err := n.cached.Get(name)
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, err
	}
	if err == nil && n.monitored.Matches(labels.Set(namespace.Labels)) {
		return namespace, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	namespace, err = n.live.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("look up namespace %s: %w", name, err)
	}
	return namespace, nil
}
