package publish

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// create makes the ConfigMap, unless it exists.
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
		return nil // by another replica or client; the cache will say with what
	case err != nil:
		return fmt.Errorf("update configmap %s/%s: %w", cm.Namespace, cm.Name, err)
	}
	return nil
}

// replace deletes the ConfigMap, unless it is no longer the one that was read, and
// makes it anew. Finalizers would keep it, so they go first.
func (p *Publisher) replace(ctx context.Context, cm *corev1.ConfigMap, data map[string]string) error {
	p.Logger.Warn("a configmap of the mesh was made immutable by another client; it is deleted and made anew, and pods that have mounted it follow when they are restarted",
		"namespace", cm.Namespace, "configmap", cm.Name)
	err := p.free(ctx, &cm)
	if err == nil {
		read := metav1.Preconditions{UID: &cm.UID, ResourceVersion: &cm.ResourceVersion}
		err = p.Client.ConfigMaps(cm.Namespace).Delete(ctx, cm.Name, metav1.DeleteOptions{Preconditions: &read})
	}
	switch {
	case apierrors.IsConflict(err):
		return nil // by another replica or client; the cache will say with what
	case err != nil && !apierrors.IsNotFound(err):
		return fmt.Errorf("delete configmap %s/%s, which is immutable: %w", cm.Namespace, cm.Name, err)
	}
	return p.create(ctx, cm.Namespace, data)
}

// free removes the finalizers, and returns the ConfigMap as it is then.
func (p *Publisher) free(ctx context.Context, cm **corev1.ConfigMap) error {
	if len((*cm).Finalizers) == 0 {
		return nil
	}
	freed := (*cm).DeepCopy()
	freed.Finalizers = nil
	freed, err := p.Client.ConfigMaps(freed.Namespace).Update(ctx, freed, metav1.UpdateOptions{})
	if err == nil {
		*cm = freed
	}
	return err
}

func (p *Publisher) immutable() *bool {
	if !p.Immutable {
		return nil
	}
	return new(true)
}
