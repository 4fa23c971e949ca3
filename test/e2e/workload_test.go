//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/osm-edge/osm/test/mesh"
)

const (
	buyerID = "spiffe://cluster.local/ns/bookbuyer/sa/bookbuyer"
	storeID = "spiffe://cluster.local/ns/bookstore/sa/bookstore-v2"
	thiefID = "spiffe://cluster.local/ns/bookthief/sa/bookthief"

	prefix = "openservicemesh.io/"
)

// Ports of the application: one is the mesh's, one is where the test tells it
// whom to call, one is excluded from what callers have intercepted.
const (
	meshPort    = 8080
	orderPort   = 8081
	outsidePort = 8082
)

func (tr *trial) deploy(ctx context.Context) (err error) {
	err = errors.Join(
		tr.createNamespace(ctx, "outside", nil, nil),
		tr.createNamespace(ctx, "bookbuyer", nil, nil),
		tr.createNamespace(ctx, "bookthief", nil, nil),
		tr.createNamespace(ctx, "bookstore", nil, map[string]string{prefix + "metrics": "enabled"}))
	if err != nil {
		return err
	}
	if _, err := tr.osm(ctx, "namespace", "add", "bookbuyer", "bookthief", "bookstore"); err != nil {
		return err
	}
	if tr.outside, err = tr.deployOne(ctx, "outside", "outside", nil); err != nil {
		return err
	}
	if tr.store, err = tr.deployStore(ctx); err != nil {
		return err
	}
	if tr.thief, err = tr.deployOne(ctx, "bookthief", "bookthief", map[string]string{
		prefix + "inbound-port-exclusion-list": fmt.Sprint(orderPort),
	}); err != nil {
		return err
	}
	if _, err = tr.expose(ctx, "bookstore", "bookstore-v2", "bookstore-v2"); err != nil {
		return err
	}
	if _, err = tr.expose(ctx, "outside", "outside", "outside"); err != nil {
		return err
	}
	excluded, err := tr.expose(ctx, "outside", "excluded", "outside")
	if err != nil {
		return err
	}
	tr.buyer, err = tr.deployOne(ctx, "bookbuyer", "bookbuyer", map[string]string{
		prefix + "inbound-port-exclusion-list":      fmt.Sprint(orderPort),
		prefix + "outbound-port-exclusion-list":     fmt.Sprint(outsidePort),
		prefix + "outbound-ip-range-exclusion-list": excluded.Spec.ClusterIP + "/32",
	})
	if err != nil {
		return err
	}
	return errors.Join(checkInjected(tr.buyer), checkInjected(tr.store), checkInjected(tr.thief))
}

// deployStore has the store's application sell to the buyer alone.
func (tr *trial) deployStore(ctx context.Context) (*corev1.Pod, error) {
	store := app("bookstore-v2", "serve")
	store.Env = []corev1.EnvVar{{Name: "CUSTOMER", Value: "URI=" + buyerID}}
	return tr.deployTemplate(ctx, "bookstore", "bookstore-v2", corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{store}}})
}

func (tr *trial) createNamespace(ctx context.Context, name string, labels, annotations map[string]string) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels, Annotations: annotations}}
	_, err := tr.client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{})
	return err
}

func (tr *trial) deployOne(ctx context.Context, namespace, name string, annotations map[string]string) (*corev1.Pod, error) {
	return tr.deployTemplate(ctx, namespace, name, corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Annotations: annotations},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{app(name, "serve")}},
	})
}

func (tr *trial) deployTemplate(ctx context.Context, namespace, name string, template corev1.PodTemplateSpec) (*corev1.Pod, error) {
	if err := mesh.Create(ctx, tr.client, namespace, name, template); err != nil {
		return nil, err
	}
	if err := mesh.WaitRollout(ctx, tr.client, namespace, name); err != nil {
		return nil, err
	}
	return mesh.Pod(ctx, tr.client, namespace, name)
}

// app is a container of the application.
func app(name string, args ...string) corev1.Container {
	return corev1.Container{Name: name, Image: imageOf("app"), ImagePullPolicy: corev1.PullNever, Args: args}
}

// expose creates a Service of the pods of a Deployment.
func (tr *trial) expose(ctx context.Context, namespace, service, deployment string) (*corev1.Service, error) {
	return tr.client.CoreV1().Services(namespace).Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: service},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": deployment},
			Ports:    []corev1.ServicePort{{Name: "mesh", Port: meshPort}, {Name: "outside", Port: outsidePort}},
		},
	}, metav1.CreateOptions{})
}

// checkInjected looks for a sidecar that the kubelet starts before the
// application, after what it needs.
func checkInjected(pod *corev1.Pod) error {
	var names []string
	for _, c := range pod.Spec.InitContainers {
		names = append(names, c.Name)
	}
	if len(names) < 2 || !slices.Equal(names[:2], []string{"osm-init", "sidecar"}) {
		return fmt.Errorf("pod %s/%s begins with %q, not with osm-init and its sidecar", pod.Namespace, pod.Name, names)
	}
	if policy := pod.Spec.InitContainers[1].RestartPolicy; policy == nil || *policy != corev1.ContainerRestartPolicyAlways {
		return fmt.Errorf("the sidecar of pod %s/%s is not one that goes on", pod.Namespace, pod.Name)
	}
	return nil
}

// replaceStore replaces the store's pod and calls the new one.
func (tr *trial) replaceStore(ctx context.Context) error {
	old := tr.store
	if err := mesh.Restart(ctx, tr.client, old.Namespace, "bookstore-v2"); err != nil {
		return err
	}
	pod, err := mesh.Pod(ctx, tr.client, old.Namespace, "bookstore-v2")
	if err != nil {
		return err
	}
	if pod.UID == old.UID {
		return fmt.Errorf("pod %s was not replaced", old.Name)
	}
	tr.store = pod
	if err := checkInjected(pod); err != nil {
		return err
	}
	if err := await(ctx, func(ctx context.Context) error { return tr.checkSidecar(ctx, pod, storeID) }); err != nil {
		return err
	}
	return tr.call(ctx)
}
