package main

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes"
)

// maxUID is longer than any UID of an API server, which is a UUID.
const maxUID = 64

// owner is what a pod says controls it.
type owner struct {
	apiVersion, kind, namespace, name string
	uid                               types.UID
}

// valid tells whether there can be such an owner that is looked up.
func (o owner) valid() bool {
	return o.getter(nil) != nil && o.uid != "" && len(o.uid) <= maxUID &&
		len(validation.IsDNS1123Label(o.namespace)) == 0 && len(validation.IsDNS1123Subdomain(o.name)) == 0
}

// look returns a reference to the owner as the API server has it: nil if that has
// another UID, which only one who may read it knows.
func (o owner) look(ctx context.Context, client kubernetes.Interface) (*corev1.ObjectReference, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	object, err := o.getter(client)(ctx)
	if err != nil || object.GetUID() != o.uid {
		return nil, err
	}
	return &corev1.ObjectReference{
		APIVersion: o.apiVersion, Kind: o.kind,
		Namespace: object.GetNamespace(), Name: object.GetName(), UID: object.GetUID(),
	}, nil
}

func (owner) missing(err error) bool { return apierrors.IsNotFound(err) || apierrors.IsForbidden(err) }

// getter is nil for what is no controller of Kubernetes' own.
func (o owner) getter(client kubernetes.Interface) func(context.Context) (metav1.Object, error) {
	switch o.apiVersion + " " + o.kind {
	case "apps/v1 ReplicaSet":
		return func(ctx context.Context) (metav1.Object, error) {
			return client.AppsV1().ReplicaSets(o.namespace).Get(ctx, o.name, metav1.GetOptions{})
		}
	case "apps/v1 StatefulSet":
		return func(ctx context.Context) (metav1.Object, error) {
			return client.AppsV1().StatefulSets(o.namespace).Get(ctx, o.name, metav1.GetOptions{})
		}
	case "apps/v1 DaemonSet":
		return func(ctx context.Context) (metav1.Object, error) {
			return client.AppsV1().DaemonSets(o.namespace).Get(ctx, o.name, metav1.GetOptions{})
		}
	case "batch/v1 Job":
		return func(ctx context.Context) (metav1.Object, error) {
			return client.BatchV1().Jobs(o.namespace).Get(ctx, o.name, metav1.GetOptions{})
		}
	}
	return nil
}
