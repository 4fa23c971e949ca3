package bootstrap

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/osm-edge/osm/manifests/crd/v1"
)

// The keys of the preset's ConfigMap, which the chart renders from its values.
const (
	configKey = "mesh-config.yaml"
	rootKey   = "mesh-root-certificate.yaml"
)

// unreadableError says that objects of the mesh cannot be read.
type unreadableError struct {
	what string
	err  error
}

func (e *unreadableError) Error() string { return "read " + e.what + ": " + e.err.Error() }

func (e *unreadableError) Unwrap() error { return e.err }

func isUnreadable(err error) bool {
	_, is := errors.AsType[*unreadableError](err)
	return is
}

// presetConfig creates the mesh's MeshConfig where there is none. One that is
// there is its users', whatever the preset says.
func (b *Bootstrap) presetConfig(ctx context.Context) error {
	_, err := b.MeshConfigs.Get(ctx, v1.MeshConfigName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return b.create(ctx, b.MeshConfigs, configKey, &v1.MeshConfig{})
	}
	if err != nil {
		return &unreadableError{"MeshConfig " + v1.MeshConfigName, err}
	}
	return nil
}

// roots returns the mesh's MeshRootCertificates, of which it creates the first.
// One that is malformed is left out.
func (b *Bootstrap) roots(ctx context.Context) ([]v1.MeshRootCertificate, error) {
	roots, err := b.listRoots(ctx)
	if err != nil || len(roots) > 0 {
		return roots, err
	}
	if err := b.create(ctx, b.MeshRootCertificates, rootKey, &v1.MeshRootCertificate{}); err != nil {
		return nil, err
	}
	return b.listRoots(ctx)
}

func (b *Bootstrap) listRoots(ctx context.Context) ([]v1.MeshRootCertificate, error) {
	list, err := b.MeshRootCertificates.List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, &unreadableError{"MeshRootCertificates", err}
	}
	var roots []v1.MeshRootCertificate
	for _, item := range list.Items {
		var root v1.MeshRootCertificate
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(item.Object, &root); err != nil {
			b.beside(fmt.Errorf("read MeshRootCertificate %s: %w", item.GetName(), err))
			continue
		}
		roots = append(roots, root)
	}
	return roots, nil
}

// create creates what the preset has under the key, unless it exists.
func (b *Bootstrap) create(ctx context.Context, client dynamic.ResourceInterface, key string, object metav1.Object) error {
	if err := b.readPreset(ctx, key, object); err != nil {
		return fmt.Errorf("preset %s/%s: %w", b.MeshNamespace, b.Preset, err)
	}
	object.SetNamespace(b.MeshNamespace)
	object.SetLabels(b.Labels)
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return err
	}
	created, err := client.Create(ctx, &unstructured.Unstructured{Object: fields}, metav1.CreateOptions{FieldManager: fieldManager})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("create %s of preset %s/%s, key %q: %w", object.GetName(), b.MeshNamespace, b.Preset, key, err)
	}
	b.Logger.Info("created from the preset", "kind", created.GetKind(), "name", created.GetName())
	return nil
}

func (b *Bootstrap) readPreset(ctx context.Context, key string, into metav1.Object) error {
	cm, err := b.ConfigMaps.Get(ctx, b.Preset, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("read the ConfigMap, which the chart has: %w", err)
	}
	if cm.Data[key] == "" {
		return fmt.Errorf("key %q is missing or empty", key)
	}
	if err := yaml.UnmarshalStrict([]byte(cm.Data[key]), into); err != nil {
		return fmt.Errorf("key %q: %w", key, err)
	}
	if _, isConfig := into.(*v1.MeshConfig); isConfig && into.GetName() != v1.MeshConfigName {
		return fmt.Errorf("key %q: metadata.name is %q, and the mesh follows %s alone", key, into.GetName(), v1.MeshConfigName)
	}
	return nil
}
