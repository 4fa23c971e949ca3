package sds

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	corev1lister "k8s.io/client-go/listers/core/v1"
)

// accounts answers whether a token's service account is still the one that the
// token was made for. One that is deleted ends its tokens, and another of its
// name, which may have other rights, does not bring them back.
type accounts struct {
	cached corev1lister.ServiceAccountLister
	live   corev1client.ServiceAccountsGetter
	slots  *semaphore.Weighted
}

func (a accounts) check(ctx context.Context, b binding) error {
	account, err := a.find(ctx, b)
	switch {
	case apierrors.IsNotFound(err):
		return refuse(ReasonServiceAccountGone, "service account %s/%s, which the token is for, does not exist; create it and restart the pod", b.namespace, b.serviceAccount.Name)
	case err != nil:
		return refuse(ReasonUnavailable, "the API server cannot be asked for service account %s/%s; try again", b.namespace, b.serviceAccount.Name).because(err)
	case account.UID != b.serviceAccount.UID:
		return refuse(ReasonServiceAccountGone, "service account %s/%s, which the token is for, was replaced by another of its name; restart the pod", b.namespace, b.serviceAccount.Name)
	case overdue(account, time.Now()):
		return refuse(ReasonServiceAccountGone, "service account %s/%s, which the token is for, is deleted", b.namespace, b.serviceAccount.Name)
	}
	return nil
}

// find returns the service account as the informer has it, or as the API server
// has it if that is not the binding's: an informer may lag behind.
func (a accounts) find(ctx context.Context, b binding) (*corev1.ServiceAccount, error) {
	account, err := a.cached.ServiceAccounts(b.namespace).Get(b.serviceAccount.Name)
	if err == nil && account.UID == b.serviceAccount.UID {
		return account, nil
	}
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	if err := a.slots.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer a.slots.Release(1)
	return a.live.ServiceAccounts(b.namespace).Get(ctx, b.serviceAccount.Name, metav1.GetOptions{})
}
