package integration

import (
	"context"
	"maps"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/osm-edge/osm/injector/pipy"
	"github.com/osm-edge/osm/issuer/rotation"
	"github.com/osm-edge/osm/manifests"
	"github.com/osm-edge/osm/test/mesh"
	"github.com/osm-edge/osm/test/testkit"
)

func testScripts(t *testing.T, client kubernetes.Interface) {
	pod := deploy(t, client, "scripted", "scripted")
	outside := createNamespace(t, client, nil, "")
	get := func(ctx context.Context, name string) (*corev1.ConfigMap, error) {
		return client.CoreV1().ConfigMaps(pod.Namespace).Get(ctx, name, metav1.GetOptions{})
	}
	published := func(ctx context.Context, name string, data map[string]string) (bool, error) {
		cm, err := get(ctx, name)
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return err == nil && maps.Equal(cm.Data, data) && cm.Immutable != nil && *cm.Immutable, err
	}
	testkit.Condition(t, "the scripts are published", func(ctx context.Context) (bool, error) {
		return published(ctx, pipy.ConfigMapName(), pipy.Scripts())
	})
	if err := client.CoreV1().ConfigMaps(pod.Namespace).Delete(t.Context(), pipy.ConfigMapName(), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	testkit.Condition(t, "deleted scripts are put back", func(ctx context.Context) (bool, error) {
		return published(ctx, pipy.ConfigMapName(), pipy.Scripts())
	})
	before, err := get(t.Context(), pipy.ConfigMapName())
	if err != nil {
		t.Fatal(err)
	}
	changed := before.DeepCopy()
	changed.Data["main.js"] = "tampered"
	if _, err := client.CoreV1().ConfigMaps(pod.Namespace).Update(t.Context(), changed, metav1.UpdateOptions{}); !apierrors.IsInvalid(err) {
		t.Errorf("published scripts can be changed: %v", err)
	}

	testHeldBundle(t, client, pod.Namespace)

	other, err := client.CoreV1().ConfigMaps(pod.Namespace).Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "osm-sidecar-fedcba987654", Labels: manifests.Labels(mesh.Name, "next")},
		Data:       map[string]string{"main.js": "// of another version"},
		Immutable:  new(true),
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.CoreV1().ConfigMaps(pod.Namespace).Delete(t.Context(), pipy.ConfigMapName(), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	testkit.Condition(t, "scripts are put back beside those of another version", func(ctx context.Context) (bool, error) {
		return published(ctx, pipy.ConfigMapName(), pipy.Scripts())
	})
	if after, err := get(t.Context(), other.Name); err != nil || after.UID != other.UID || after.ResourceVersion != other.ResourceVersion {
		t.Errorf("the scripts of another version were changed: %v", err)
	}
	now, err := client.CoreV1().Pods(pod.Namespace).Get(t.Context(), pod.Name, metav1.GetOptions{})
	if err != nil || now.UID != pod.UID || !equality.Semantic.DeepEqual(now.Spec, pod.Spec) {
		t.Errorf("the pod is another: %v", err)
	}
	if _, err := client.CoreV1().ConfigMaps(outside).Get(t.Context(), pipy.ConfigMapName(), metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("a namespace outside of the mesh has scripts: %v", err)
	}
}

// testHeldBundle has a tenant make the namespace's osm-trust-bundle immutable, and
// keep it from being deleted.
func testHeldBundle(t *testing.T, client kubernetes.Interface, namespace string) {
	t.Helper()
	held := []byte(`{"immutable":true,"metadata":{"finalizers":["example.com/held"]}}`)
	before, err := client.CoreV1().ConfigMaps(namespace).Patch(t.Context(), rotation.ConfigMapName, types.MergePatchType, held, metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	testkit.Condition(t, "a bundle that a tenant holds is replaced", func(ctx context.Context) (bool, error) {
		cm, err := client.CoreV1().ConfigMaps(namespace).Get(ctx, rotation.ConfigMapName, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return err == nil && cm.UID != before.UID && cm.Immutable == nil && maps.Equal(cm.Data, before.Data), err
	})
}
