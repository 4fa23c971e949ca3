package publish

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// create makes the ConfigMap, unless somebody else was first.
func (p *Publisher) create(ctx context.Context, namespace string, data map[string]string) error {
	_, err := p.Client.ConfigMaps(namespace).Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: p.Name, Labels: p.Labels},
		Immutable:  p.immutable(),
		Data:       data,
	}, metav1.CreateOptions{})
	switch {
	case apierrors.IsAlreadyExists(err):
		return nil // by another replica; the cache will say with what
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return nil
	case err != nil:
		return fmt.Errorf("create configmap %s/%s: %w", namespace, p.Name, err)
	}
	return nil
}

// update writes to the ConfigMap, unless it is no longer the one that was read.
func (p *Publisher) update(ctx context.Context, cm *corev1.ConfigMap, data map[string]string) error {
	cm = cm.DeepCopy()
	cm.Data, cm.BinaryData, cm.Immutable = data, nil, p.immutable()
	_, err := p.Client.ConfigMaps(cm.Namespace).Update(ctx, cm, metav1.UpdateOptions{})
	switch {
	case apierrors.IsConflict(err), apierrors.IsNotFound(err):
		return nil // by another replica, or somebody else; the cache will say with what
	case err != nil:
		return fmt.Errorf("update configmap %s/%s: %w", cm.Namespace, cm.Name, err)
	}
	return nil
}

func (p *Publisher) immutable() *bool {
	if !p.Immutable {
		return nil
	}
	return new(true)
}
