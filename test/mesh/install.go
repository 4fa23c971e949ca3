// Package mesh installs the mesh on a Kubernetes that a test or a demonstration
// started, and plays its sidecars. It knows the chart and the cluster, not how
// the parts of the mesh do their work.
package mesh

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"

	"github.com/osm-edge/osm/manifests/render"
)

const (
	// Namespace is the mesh namespace.
	Namespace = "osm-system"
	// Name is the mesh's name.
	Name = "osm"

	poll = 100 * time.Millisecond
)

// Components are the Deployments of the mesh.
var Components = [...]string{"osm-bootstrap", "osm-injector", "osm-controller"}

// Images are those of the Components, for a cluster that runs their binaries in dir.
func Images(dir string) map[string]string {
	images := map[string]string{}
	for _, name := range Components {
		images["flomesh/"+name] = filepath.Join(dir, name)
	}
	return images
}

// Install applies the chart with the values and waits until its Deployments are
// ready.
func Install(ctx context.Context, config *rest.Config, values map[string]any) error {
	objects, err := render.Chart(render.Options{Namespace: Namespace, Values: values})
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	if err := createNamespace(ctx, client, Namespace, nil); err != nil {
		return err
	}
	if err := Apply(ctx, config, objects); err != nil {
		return err
	}
	for _, name := range Components {
		if err := WaitRollout(ctx, client, Namespace, name); err != nil {
			return err
		}
	}
	return nil
}

// Apply applies the objects as Helm and kubectl do, on the server's side.
func Apply(ctx context.Context, config *rest.Config, objects []*unstructured.Unstructured) error {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(kube.Discovery()))
	for _, object := range objects {
		kind := object.GroupVersionKind()
		mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
		if err != nil {
			return err
		}
		resource := client.Resource(mapping.Resource).Namespace(object.GetNamespace())
		options := metav1.ApplyOptions{FieldManager: "helm", Force: true}
		if _, err := resource.Apply(ctx, object.GetName(), object, options); err != nil {
			return fmt.Errorf("apply %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return nil
}

// Join creates a namespace of the mesh.
func Join(ctx context.Context, client kubernetes.Interface, namespace string) error {
	return createNamespace(ctx, client, namespace, map[string]string{"openservicemesh.io/monitored-by": Name})
}

func createNamespace(ctx context.Context, client kubernetes.Interface, name string, labels map[string]string) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	_, err := client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	return nil
}

// Restart replaces the pods of a Deployment, as kubectl rollout restart does,
// and waits until it is done.
func Restart(ctx context.Context, client kubernetes.Interface, namespace, name string) error {
	patch := fmt.Appendf(nil, `{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":%q}}}}}`,
		time.Now().Format(time.RFC3339Nano))
	_, err := client.AppsV1().Deployments(namespace).Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		return err
	}
	return WaitRollout(ctx, client, namespace, name)
}

// WaitRollout waits until all pods of a Deployment, and no others, are of its
// present form and ready.
func WaitRollout(ctx context.Context, client kubernetes.Interface, namespace, name string) error {
	var last *appsv1.Deployment
	err := wait.PollUntilContextCancel(ctx, poll, true, func(ctx context.Context) (bool, error) {
		d, err := client.AppsV1().Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		last = d
		s := d.Status
		return s.ObservedGeneration == d.Generation && s.Replicas == *d.Spec.Replicas &&
			s.UpdatedReplicas == s.Replicas && s.AvailableReplicas == s.Replicas, nil
	})
	if err != nil && last != nil {
		return fmt.Errorf("deployment %s/%s is not ready, %d of %d pods are: %w",
			namespace, name, last.Status.AvailableReplicas, *last.Spec.Replicas, err)
	}
	return err
}
