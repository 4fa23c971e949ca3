package sds

import (
	"context"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/semaphore"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	corev1lister "k8s.io/client-go/listers/core/v1"
)

// uuidLabel is what the injector marks a pod with.
const uuidLabel = "osm-proxy-uuid"

// liveReads bounds the questions to the API server at any time.
const liveReads = 8

// pods answers whether a token's pod is one that runs a proxy.
type pods struct {
	cached corev1lister.PodLister
	live   corev1client.PodsGetter
	slots  *semaphore.Weighted
}

// check returns the proxy's UUID if the pod that the token is bound to exists,
// runs, has the token's service account, and was injected.
func (p pods) check(ctx context.Context, b binding) (string, error) {
	pod, err := p.find(ctx, b)
	if err != nil {
		return "", err
	}
	id := pod.Labels[uuidLabel]
	switch {
	case overdue(pod, time.Now()):
		return "", refuse(ReasonPodGone, "pod %s/%s was to be gone at %s", b.namespace, b.pod.Name, pod.DeletionTimestamp.UTC().Format(time.RFC3339))
	case pod.Spec.ServiceAccountName != b.serviceAccount.Name:
		return "", refuse(ReasonOtherServiceAccount, "the token is for service account %s, pod %s/%s runs as %s",
			b.serviceAccount.Name, b.namespace, b.pod.Name, pod.Spec.ServiceAccountName)
	case pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed:
		return "", refuse(ReasonPodFinished, "pod %s/%s has finished", b.namespace, b.pod.Name)
	case len(id) != len(uuid.Nil.String()) || uuid.Validate(id) != nil:
		return "", refuse(ReasonNotInjected, "pod %s/%s has no UUID in its label %s: it was not injected; restart it in a monitored namespace",
			b.namespace, b.pod.Name, uuidLabel)
	}
	return id, nil
}

// overdue reports whether an object's time has passed. The API server sets a
// deletionTimestamp to when the grace ends, and accepts the tokens of the object
// for a minute more; nothing here is to be later than that.
func overdue(o metav1.Object, now time.Time) bool {
	at := o.GetDeletionTimestamp()
	return at != nil && now.After(at.Add(expiryLeeway))
}

// find returns the pod with exactly the binding's UID. An informer may lag
// behind a pod that was just made, or made anew: then the API server is asked.
func (p pods) find(ctx context.Context, b binding) (*corev1.Pod, error) {
	if pod, err := p.cached.Pods(b.namespace).Get(b.pod.Name); err == nil && pod.UID == b.pod.UID {
		return pod, nil
	}
	pod, err := p.read(ctx, b)
	switch {
	case apierrors.IsNotFound(err):
		return nil, refuse(ReasonPodGone, "pod %s/%s, which the token is bound to, does not exist", b.namespace, b.pod.Name)
	case err != nil:
		return nil, refuse(ReasonUnavailable, "the API server cannot be asked for pod %s/%s; try again", b.namespace, b.pod.Name).because(err)
	case pod.UID != b.pod.UID:
		return nil, refuse(ReasonPodGone, "pod %s/%s, which the token is bound to, was replaced by another of its name", b.namespace, b.pod.Name)
	}
	return pod, nil
}

func (p pods) read(ctx context.Context, b binding) (*corev1.Pod, error) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	if err := p.slots.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer p.slots.Release(1)
	return p.live.Pods(b.namespace).Get(ctx, b.pod.Name, metav1.GetOptions{})
}
